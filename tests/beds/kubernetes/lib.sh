# What the scripts of this folder share; read by `.`, never run.
# shellcheck shell=bash disable=SC2034,SC2154  # Variables go both ways: `here` comes from who reads this file.

cache=${FLOWC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowc}
KUBERNETES=v1.35.4
SUITE=bookworm

# The node's address inside every bed, which is also the API server's; S3 listens there too, for pods and for us.
NODE=10.96.0.1
S3_PORT=5000

# Which beds there are on this machine. /run is empty after a restart, as are networks and processes.
REGISTRY=/run/flowc-beds

digest_of() { cat "$@" | sha256sum | cut -c1-12; }
# A changed pin or recipe is a new folder of the cache, and an old one never mixes in.
programs=$cache/kubernetes-$(digest_of "$here/go.mod" "$here/go.sum" "$here/pause.c")
images=$cache/images-$(digest_of "$here/images" "$here/mkimage.py" "$here/requirements.txt")

say() { echo "beds: kubernetes: $*" >&2; }

# Ends with 77 where the bed cannot be.
needs_root() {
  if [ "$(uname -s)" != Linux ]; then
    say "needs Linux: containers and network namespaces"
    exit 77
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "needs root, for containers, mounts and a network namespace; or name a cluster of your own by FLOWC_TEST_CLUSTER"
    exit 77
  fi
  if ! unshare --net --mount true 2>/dev/null; then
    say "needs CAP_SYS_ADMIN and CAP_NET_ADMIN: this root may not make namespaces"
    exit 77
  fi
}
