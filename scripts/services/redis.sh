#!/usr/bin/env bash
# Redis, from the distribution's package: see services.sh.
#   REDIS_SERVER   another redis-server, say of another version
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/shared.sh"
server=${REDIS_SERVER:-redis-server}

install_package() {
  ! command -v "$server" >/dev/null || return 0
  [ -z "${REDIS_SERVER:-}" ] || fail "there is no $REDIS_SERVER"
  local line='apt-get install redis-server'
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || need redis-server "$line"
  without_daemons apt_install redis-server || need redis-server "$line"
}

# The package would start a daemon of its own; nothing but `start` below does.
without_daemons() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [ -e "$policy" ]; then
    "$@"
    return
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  "$@" || status=$?
  rm -f "$policy"
  return $status
}

# Nothing is kept on disk: the log has it all, and tests that want a snapshot ask for one.
start() {
  local dir port=$2
  dir=$(realpath "$1")
  spawn "$dir" log "$server" --port "$port" --bind 127.0.0.1 --dir "$dir" --save '' --appendonly no \
    --maxmemory-policy noeviction --daemonize no
  wait_until "$dir" log 30 is_ready "$port"
  echo "VARVE_TEST_REDIS=redis://127.0.0.1:$port" >"$dir/env"
}

is_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'PING\r\n' >&3
  read -r -t 5 answer <&3
  exec 3>&-
  [[ $answer == +PONG* ]]
}

case ${1:-} in
  install) install_package ;;
  start) start "$2" "$3" ;;
  *) fail 'install | start DIR PORT' ;;
esac
