#!/bin/bash
# install.sh    installs, from Debian's own packages, every tool that `npm run test:oracle` asks. Needs root.
# With "corpus", also what make-corpus.sh builds real images with.
# apt must not start services (docker's daemon would listen): a policy-rc.d that denies is required.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
install() { apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; }
install python3 tar libarchive-tools attr umoci skopeo zstd jq
[ "${1:-}" = corpus ] || exit 0
[ -x /usr/sbin/policy-rc.d ] || { echo "no policy-rc.d: docker's daemon would be started; refusing" >&2; exit 1; }
install docker.io runc containerd mmdebstrap busybox-static bc npm
