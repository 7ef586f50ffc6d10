#!/bin/bash
# install.sh    installs, from Debian's own packages, every container tool that `npm run test:clients` runs. Needs root.
# apt must not start services (docker's daemon would listen): a policy-rc.d that denies is required.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
[ -x /usr/sbin/policy-rc.d ] || { echo "no policy-rc.d: docker's daemon would be started; refusing" >&2; exit 1; }
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
  docker.io containerd runc crun podman buildah skopeo umoci golang-github-containers-common python3 tar zstd
