#!/usr/bin/env bash
# Runs the tests that need servers, on servers of its own, and takes these down whatever happens: `npm run test:cluster`.
# Arguments go to Jest: `npm run test:cluster -- --selectProjects contract`.
set -euo pipefail
cd "$(dirname "$0")/.."

VARVE_SERVICES_STATE=$(mktemp -d -t varve-services.XXXXXX)
export VARVE_SERVICES_STATE
# Here tests start servers of their own, to take them away; one that is stopped half-way leaves some.
export TMPDIR=$VARVE_SERVICES_STATE/tmp
mkdir "$TMPDIR"
# Some tests become a plain user, who must get there.
chmod 755 "$VARVE_SERVICES_STATE" "$TMPDIR"
. scripts/services/shared.sh
child=
finish() {
  local status=$? pid_file
  trap - EXIT
  while read -r pid_file; do stop_all "$(dirname "$pid_file")"; done < <(find "$TMPDIR" -name pid -type f)
  scripts/services.sh down
  rm -rf "$VARVE_SERVICES_STATE"
  exit "$status"
}
# Told to stop, it ends Jest first: the servers must not go while a test looks at them. Who told it may not wait for long.
stop() {
  local tries
  if [ -n "$child" ]; then
    kill -TERM -- "-$child" 2>/dev/null || true
    for ((tries = 0; tries < 30; tries += 1)); do
      kill -0 "$child" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$child" 2>/dev/null || true
  fi
  exit 1
}
trap finish EXIT
trap stop TERM INT HUP

scripts/services.sh up >"$VARVE_SERVICES_STATE/env"
set -a
. "$VARVE_SERVICES_STATE/env"
set +a
export VARVE_TEST_REQUIRE=all VARVE_TEST_MODE=cluster

# One at a time: a machine with two cores has the servers to run, too.
setsid node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js \
  --config jest.cluster.config.js --runInBand "$@" &
child=$!
wait "$child"
