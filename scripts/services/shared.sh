# Sourced by services.sh and by the scripts of the servers; see services.sh for what a server's script does.

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# need COMMAND LINE: fails with the line that installs what is missing.
need() {
  command -v "$1" >/dev/null || fail "$1 is missing. Install it with: $2"
}

# apt_install PACKAGE: quiet unless it fails.
apt_install() {
  local log
  log=$(mktemp)
  if ! { apt-get update -q && apt-get install -qy --no-install-recommends "$1"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm "$log"
    return 1
  fi
  rm "$log"
}

# A port of 127.0.0.1 that nobody listens on; below those that the kernel gives to outgoing connections, so that none of them
# takes it before its server has started, or while it is down.
free_port() {
  node -e "const {createServer}=require('node:net');(function look(){const p=2e4+Math.floor(Math.random()*12e3);const s=createServer().once('error',look).listen(p,'127.0.0.1',()=>{console.log(p);s.close()})})()"
}

# spawn DIR LOG COMMAND...: starts a server in the background, in a session of its own, with DIR as its working directory and
# DIR/LOG as its output, and adds it to DIR/pid.
spawn() {
  local dir=$1 log=$2 before=$PWD
  shift 2
  # Before the fork: its folder is how a process is known to be ours, from its first moment.
  cd "$dir"
  setsid "$@" </dev/null >>"$log" 2>&1 &
  echo $! >>"$dir/pid"
  cd "$before"
}

# owns DIR PID: whether the process is one that was spawned for DIR, and not another one that got its number. A server may have
# gone on into a folder of DIR.
owns() {
  [[ "$(readlink "/proc/$2/cwd" 2>/dev/null)/" == "$(realpath "$1")/"* ]] && ! grep -q '^State:.Z' "/proc/$2/status" 2>/dev/null
}

# wait_until DIR LOG SECONDS COMMAND...: until the command succeeds. Fails, with the end of DIR/LOG, when time is up or a process
# of DIR/pid has ended.
wait_until() {
  local dir=$1 log=$2 deadline=$((SECONDS + $3)) pid
  shift 3
  until "$@" >/dev/null 2>&1; do
    while read -r pid; do
      owns "$dir" "$pid" || { tail -n 20 "$dir/$log" >&2; fail "the server ended; the lines above are the end of $dir/$log"; }
    done <"$dir/pid"
    [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 "$dir/$log" >&2; fail "no answer in time; the lines above are the end of $dir/$log"; }
    sleep 0.1
  done
}

# answers PORT: whether something listens on 127.0.0.1:PORT.
answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# stop_all DIR: ends the processes of DIR/pid, asks first, and waits for them.
stop_all() {
  local dir=$1 pids=() pid tries
  [ -f "$dir/pid" ] || return 0
  readarray -t pids <"$dir/pid"
  # A stopped process hears nothing before it goes on.
  for pid in "${pids[@]}"; do if owns "$dir" "$pid"; then kill -CONT "$pid" && kill "$pid"; fi; done
  for pid in "${pids[@]}"; do
    for ((tries = 0; tries < 150; tries += 1)); do
      owns "$dir" "$pid" || break
      sleep 0.1
    done
    if owns "$dir" "$pid"; then kill -KILL "$pid"; fi
  done
  rm -f "$dir/pid"
}
