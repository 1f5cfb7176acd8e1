#!/usr/bin/env bash
# Installs what the conformance tests read bundles with, into the cache folder of tests/beds/install, once:
#   tests/beds/tools.sh             everything
#   tests/beds/tools.sh airflow3    Airflow 3 and its Kubernetes provider; prints the Python
#   tests/beds/tools.sh airflow2    Airflow 2.11 likewise
#   tests/beds/tools.sh lint        ruff, two YAML readers, JSON schema, the AWS APIs' fields; prints the Python
#   tests/beds/tools.sh npm         asl-validator and Argo's validators; prints the folder that holds node_modules
# What is printed on stdout is for programs; what happens goes to stderr.
# Each folder's name holds a digest of what is in it, so a changed pin is a new folder and an old one never mixes in.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FLOWC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowc}
mkdir -p "$cache"

say() { echo "beds: $*" >&2; }

# Installs tests/beds/npm into a folder of the cache.
install_npm() {
  local folder digest log
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "node and npm are needed for the validators of tests/beds/npm; install Node.js 20 or newer"
    return 1
  fi
  digest=$(cat "$here/npm/package.json" "$here/npm/package-lock.json" | sha256sum | cut -c1-12)
  folder="$cache/npm-$digest"
  if [ ! -f "$folder/complete" ]; then
    say "installing the packages of tests/beds/npm into $folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$here/npm/package.json" "$here/npm/package-lock.json" "$folder"
    log="$folder/install.log"
    if ! (cd "$folder" && npm ci --ignore-scripts --no-fund --no-audit) >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      say "npm could not install them, see above"
      return 1
    fi
    touch "$folder/complete"
  fi
  echo "$folder"
}

# Runs "$@" in a subshell that alone holds the lock $1.
locked() {
  local lock=$1
  shift
  ( if command -v flock >/dev/null; then flock 9; fi; "$@" ) 9>"$lock.lock"
}

tool() {
  case $1 in
    airflow3 | airflow2) "$here/install" venv "$1" "$here/airflow/$1.txt" ;;
    lint) "$here/install" venv lint "$here/lint/requirements.txt" ;;
    npm) locked "$cache/npm" install_npm ;;
    *) sed -n '2,9p' "${BASH_SOURCE[0]}" >&2; return 2 ;;
  esac
}

if [ $# -gt 0 ]; then
  tool "$1"
else
  missing=0
  for name in lint npm airflow3 airflow2; do tool "$name" >/dev/null || missing=1; done
  exit "$missing"
fi
