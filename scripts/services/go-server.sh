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

# The distribution's Go may be older than what builds the servers; it fetches a newer one from the module proxy, as one module.
go_version=1.26.0

check_go() {
  need go 'apt-get install --no-install-recommends golang-go'
  local minor
  minor=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -lt 25 ] || return 0
  fetch_go || fail "Go 1.25 is needed, this is $(go env GOVERSION), and a newer one cannot be fetched. Unpack a release of https://go.dev/dl into /usr/local/go"
  export GOROOT=$VARVE_SERVICES_CACHE/go-$go_version
  export PATH=$GOROOT/bin:$PATH
}

fetch_go() {
  local folder=$VARVE_SERVICES_CACHE/go-$go_version module from work
  [ ! -x "$folder/bin/go" ] || return 0
  module=golang.org/toolchain@v0.0.1-go$go_version.$(go env GOOS)-$(go env GOARCH)
  from=$(cd / && GO111MODULE=on go mod download -json "$module" | sed -nE 's/^\s*"Dir": "(.*)",?$/\1/p') || return 1
  work=$(mktemp -d "$folder.XXXXXX")
  cp -R "$from/." "$work"
  # Modules carry no modes. Programs are in two folders.
  chmod -R u+w "$work"
  find "$work/bin" "$work/pkg/tool" -type f -exec chmod +x {} +
  mv -T "$work" "$folder"
}

# write_env DIR NAME PORT: what tests read.
write_env() {
  printf '%s\n' "$2=http://127.0.0.1:$3" "AWS_ACCESS_KEY_ID=$access_key" "AWS_SECRET_ACCESS_KEY=$secret_key" >"$1/env"
}
