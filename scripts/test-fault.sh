#!/usr/bin/env bash
# What is done to real servers and real processes on purpose, by seed: `npm run test:fault`. Tests start the servers they
# break; this takes down whatever they leave, whatever happens.
#
#   npm run test:fault -- [--brokers 3] [--seed N] [Jest's arguments, as --testPathPatterns kafka-links]
#
# Without a seed it takes another one each time, and says which; VARVE_TEST_SEED is the same as --seed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Bounded as a whole, whatever hangs; told to stop, it takes down what it has started.
if [ -z "${FAULT_BOUNDED:-}" ]; then
  FAULT_BOUNDED=1 exec timeout --kill-after=60s 45m bash scripts/test-fault.sh "$@"
fi

seed=${VARVE_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
brokers=1
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --brokers) brokers=$2 && shift 2 ;;
    --seed) seed=$2 && shift 2 ;;
    --) shift ;;
    *) arguments+=("$1") && shift ;;
  esac
done
[[ $seed =~ ^[0-9]{1,9}$ ]] || { echo "--seed is a number of up to nine digits, not $seed" >&2 && exit 2; }
[[ $brokers =~ ^[1-9]$ ]] || { echo "--brokers is 1 to 9, not $brokers" >&2 && exit 2; }
export VARVE_TEST_SEED=$seed VARVE_TEST_BROKERS=$brokers

# Histories, and what processes said, of rows that failed.
keep='*/varve-fault-*/*'
. scripts/services/own-servers.sh
# A clock that jumps is Debian's faketime around one process.
if ! command -v faketime >/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || need faketime 'apt-get install faketime'
  apt_install faketime || need faketime 'apt-get install faketime'
fi
scripts/services.sh install kafka redis minio

echo "seed $seed, $brokers brokers: npm run test:fault -- --brokers $brokers --seed $seed" >&2
status=0
jest --config jest.fault.config.js "${arguments[@]}" || status=$?
if [ -f "$TMPDIR/faults.txt" ]; then cat "$TMPDIR/faults.txt" >&2; fi
exit "$status"
