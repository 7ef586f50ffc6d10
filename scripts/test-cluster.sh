#!/usr/bin/env bash
# Runs the tests that need servers, on servers of its own, and takes these down whatever happens: `npm run test:cluster`.
# Arguments go to Jest: `npm run test:cluster -- --selectProjects contract`.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/services/own-servers.sh
scripts/services.sh up >"$VARVE_SERVICES_STATE/env"
set -a
. "$VARVE_SERVICES_STATE/env"
set +a
export VARVE_TEST_REQUIRE=all VARVE_TEST_MODE=cluster

jest --config jest.cluster.config.js "$@"
