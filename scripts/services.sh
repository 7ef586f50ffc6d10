#!/usr/bin/env bash
# Real servers for tests, on 127.0.0.1, without a container engine.
#
#   scripts/services.sh up [--brokers N] [SERVER[:PORT]...]   starts; a free port where none is given; prints the environment
#   scripts/services.sh install [SERVER...]                   puts there what they need, and starts nothing
#   scripts/services.sh down [SERVER...]                      stops, by process id, and removes the servers' data
#   scripts/services.sh status [SERVER...]                    one line a server; fails unless all of them are up
#   scripts/services.sh env                                   VARVE_TEST_KAFKA=127.0.0.1:19092 and so on, one a line
#
# SERVER is one of kafka redis minio versitygw; none named means all of them (down, status: all that were started).
# Without a SERVER that is down but was not taken down, `up` starts it again on its port and its data.
#
#   VARVE_SERVICES_CACHE   what is downloaded and built; shared between checkouts   (.cache/services of the checkout)
#   VARVE_SERVICES_STATE   ports, process ids, logs and data of this set of servers (.cache/services-state)
#
# A server is a script beside shared.sh, scripts/services/SERVER.sh, called with VARVE_SERVICES_CACHE in the environment:
#
#   SERVER.sh install             puts what `start` needs under $VARVE_SERVICES_CACHE/SERVER-VERSION; returns at once when it
#                                 is there. It never runs twice at a time. A missing tool: `need` says the line to install it.
#   SERVER.sh start DIR PORT      listens on 127.0.0.1:PORT and keeps everything under DIR, its working directory. Starts again
#                                 on what an earlier one left in DIR. Returns when the server answers; on failure it says
#                                 why and leaves no process. It writes
#                                   DIR/pid   one process id a line, written as soon as there is a process
#                                   DIR/env   NAME=value lines that tests read, without quotes and spaces
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
all=(kafka redis minio versitygw)
export VARVE_SERVICES_CACHE=${VARVE_SERVICES_CACHE:-$root/.cache/services}
state=${VARVE_SERVICES_STATE:-$root/.cache/services-state}
. "$here/services/shared.sh"

usage() {
  sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" >&2
  exit 2
}

known() {
  [[ " ${all[*]} " == *" $1 "* ]] || fail "there is no server $1: it is one of ${all[*]}"
}

started() {
  local dir
  for dir in "$state"/*/; do [ -f "${dir}port" ] && basename "$dir"; done
  return 0
}

# is_up SERVER: every process of it runs.
is_up() {
  local dir=$state/$1 pid
  [ -s "$dir/pid" ] || return 1
  while read -r pid; do owns "$dir" "$pid" || return 1; done <"$dir/pid"
}

install_one() {
  mkdir -p "$VARVE_SERVICES_CACHE"
  flock "$VARVE_SERVICES_CACHE/$1.lock" "$here/services/$1.sh" install >&2
}

install_all() {
  local servers=("$@") server
  [ ${#servers[@]} -gt 0 ] || servers=("${all[@]}")
  for server in "${servers[@]}"; do known "$server" && install_one "$server"; done
}

up_one() {
  local server=${1%%:*} port='' dir
  [[ $1 != *:* ]] || port=${1#*:}
  dir=$state/$server
  if is_up "$server"; then
    echo "$server is up already, on port $(cat "$dir/port")" >&2
    return 0
  fi
  install_one "$server" || return 1
  # What is left of one that died half.
  stop_all "$dir"
  mkdir -p "$dir"
  [ -n "$port" ] || port=$(cat "$dir/port" 2>/dev/null) || port=$(free_port)
  echo "$port" >"$dir/port"
  if ! "$here/services/$server.sh" start "$dir" "$port" >&2; then
    stop_all "$dir"
    echo "$server did not start; its data and logs are in $dir" >&2
    return 1
  fi
  echo "$server is up on port $port" >&2
}

up() {
  local servers=() server begun=()
  while [ $# -gt 0 ]; do
    case $1 in
      --brokers) export KAFKA_BROKERS=$2 && shift 2 ;;
      -*) usage ;;
      *) known "${1%%:*}" && servers+=("$1") && shift ;;
    esac
  done
  [ ${#servers[@]} -gt 0 ] || servers=("${all[@]}")
  for server in "${servers[@]}"; do
    is_up "${server%%:*}" || begun+=("${server%%:*}")
    if ! up_one "$server"; then
      # All or nothing: no caller is left with half of what it asked for.
      for server in "${begun[@]}"; do stop_all "$state/$server"; done
      exit 1
    fi
  done
  environment
}

down() {
  local servers=("$@") server
  [ ${#servers[@]} -gt 0 ] || readarray -t servers < <(started)
  for server in "${servers[@]}"; do
    known "$server"
    stop_all "$state/$server"
    rm -rf "${state:?}/$server"
  done
}

status() {
  local servers=("$@") server dir result=0
  [ ${#servers[@]} -gt 0 ] || readarray -t servers < <(started)
  for server in "${servers[@]}"; do
    known "$server"
    dir=$state/$server
    if is_up "$server"; then
      printf '%-10s up    port %s, process %s\n' "$server" "$(cat "$dir/port")" "$(paste -sd, "$dir/pid")"
    else
      printf '%-10s down\n' "$server"
      result=1
    fi
  done
  return "$result"
}

environment() {
  local server
  for server in $(started); do if is_up "$server"; then cat "$state/$server/env"; fi; done
}

command=${1:-}
shift || true
case $command in
  up) up "$@" ;;
  install) install_all "$@" ;;
  down) down "$@" ;;
  status) status "$@" ;;
  env) environment ;;
  *) usage ;;
esac
