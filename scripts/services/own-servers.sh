# Sourced by scripts that run Jest on servers of their own: gives them a state and a folder for temporary files, and takes down
# whatever is left there in the end, whatever happens. The folder of the sourcing script is the checkout's.

kept_under=${TMPDIR:-/tmp}
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
  # What a failed test wants to be looked at is kept.
  if [ "$status" -ne 0 ] && [ -n "${keep:-}" ]; then keep_files; fi
  rm -rf "$VARVE_SERVICES_STATE"
  exit "$status"
}
keep_files() {
  local kept
  kept=$(TMPDIR=$kept_under mktemp -d -t varve-kept.XXXXXX)
  find "$TMPDIR" -path "$keep" -type f -exec cp -t "$kept" {} +
  echo "kept in $kept: $(ls "$kept" | paste -sd ' ')" >&2
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

# jest ARGUMENT...: one file at a time, for a machine with two cores has the servers to run, too.
jest() {
  setsid node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js --runInBand "$@" &
  child=$!
  wait "$child"
}
