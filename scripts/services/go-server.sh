# Sourced by the scripts of servers that are Go programs: sets up `go_install`. See services.sh for what such a script does.
# The credentials are the same for all of them: tests use one pair.
access_key=varve-test
secret_key=varve-test-secret

# go_install MODULE VERSION PROGRAM FOLDER: builds a program of a module at a fixed version into FOLDER, once. The module proxy
# and the checksum database of the Go installation are used as they are set.
go_install() {
  local module=$1 version=$2 program=$3 folder=$4 work
  [ ! -x "$folder/$program" ] || return 0
  check_go
  work=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "building $program $version; the first time takes minutes"
  # In a folder without a go.mod, whose versions would count; one package at a time, or two cores are taken for minutes.
  (cd "$work" && GOBIN=$work CGO_ENABLED=0 GOFLAGS="${GOFLAGS:--p=1}" nice go install -trimpath "$module@$version")
  rm -rf "$folder"
  mv "$work" "$folder"
  trap - EXIT
}

check_go() {
  local install='apt-get install golang-1.25 or newer, or unpack a release of https://go.dev/dl into /usr/local/go'
  need go "$install"
  local minor
  minor=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -ge 25 ] || fail "Go 1.25 is needed and this is $(go env GOVERSION). Install it with: $install"
}

# write_env DIR NAME PORT: what tests read.
write_env() {
  printf '%s\n' "$2=http://127.0.0.1:$3" "AWS_ACCESS_KEY_ID=$access_key" "AWS_SECRET_ACCESS_KEY=$secret_key" >"$1/env"
}
