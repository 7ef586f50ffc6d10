#!/usr/bin/env bash
# MinIO, built from its Go module: see services.sh. The module is no longer maintained; this is its last version.
#   MINIO_VERSION   another version
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/shared.sh"
. "$here/go-server.sh"
version=${MINIO_VERSION:-v0.0.0-20260212201848-7aac2a2c5b7c}
home=$VARVE_SERVICES_CACHE/minio-$version

start() {
  local dir port=$2
  [ -x "$home/minio" ] || fail "MinIO $version is not installed: scripts/services/minio.sh install"
  mkdir -p "$1/data"
  dir=$(realpath "$1")
  spawn "$dir" log env MINIO_ROOT_USER="$access_key" MINIO_ROOT_PASSWORD="$secret_key" MINIO_BROWSER=off MINIO_UPDATE=off \
    "$home/minio" server --quiet --address "127.0.0.1:$port" "$dir/data"
  wait_until "$dir" log 60 is_ready "$port"
  write_env "$dir" VARVE_TEST_S3 "$port"
}

# It listens before it answers requests. In a shell of its own: a refused connection ends the shell.
is_ready() (
  exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
  printf 'GET /minio/health/ready HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -t 5 answer <&3
  [[ $answer == *' 200 '* ]]
)

case ${1:-} in
  install) go_install github.com/minio/minio "$version" minio "$home" ;;
  start) start "$2" "$3" ;;
  *) fail 'install | start DIR PORT' ;;
esac
