#!/usr/bin/env bash
# Versity's S3 gateway over a folder, built from its Go module: see services.sh. It keeps metadata in extended attributes, which
# the file system under the data must have.
#   VERSITYGW_VERSION   another version
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/shared.sh"
. "$here/go-server.sh"
version=${VERSITYGW_VERSION:-v1.7.0}
home=$VARVE_SERVICES_CACHE/versitygw-$version

start() {
  local dir port=$2
  [ -x "$home/versitygw" ] || fail "versitygw $version is not installed: scripts/services/versitygw.sh install"
  mkdir -p "$1/data"
  dir=$(realpath "$1")
  spawn "$dir" log "$home/versitygw" --quiet --access "$access_key" --secret "$secret_key" --port "127.0.0.1:$port" posix "$dir/data"
  wait_until "$dir" log 30 answers "$port"
  write_env "$dir" VARVE_TEST_S3_VERSITY "$port"
}

case ${1:-} in
  install) go_install github.com/versity/versitygw/cmd/versitygw "$version" versitygw "$home" ;;
  start) start "$2" "$3" ;;
  *) fail 'install | start DIR PORT' ;;
esac
