#!/bin/bash
# containerd-up.sh DIR         starts Debian's containerd on DIR/c.sock (use: ctr -a DIR/c.sock), without a network
# containerd-up.sh DIR stop
set -euo pipefail
D=$(mkdir -p "$1"; realpath "$1")
if [ "${2:-}" = stop ]; then
  p=$(cat "$D/pid"); kill "$p"; while [ -d "/proc/$p" ]; do sleep .1; done
  exit
fi
cat >"$D/config.toml" <<C
version = 2
root = "$D/root"
state = "$D/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$D/c.sock"
[ttrpc]
  address = "$D/c.sock.ttrpc"
C
containerd -c "$D/config.toml" >"$D/log" 2>&1 &
echo $! >"$D/pid"
for _ in $(seq 50); do ctr -a "$D/c.sock" version >/dev/null 2>&1 && exit 0; sleep .2; done
tail -3 "$D/log" >&2
exit 1
