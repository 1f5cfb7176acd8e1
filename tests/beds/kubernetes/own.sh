# The verbs of `bed` on a cluster of one's own, which the file FLOWC_TEST_CLUSTER describes; read by `bed`.
# Nothing of the cluster is started or stopped: what a verb would need that for ends with 77, as on a machine without root.
# shellcheck shell=bash disable=SC2034,SC2154,SC2317

# Prints one value of the description a line: `kubeconfig`, `exec` or `variables`.
described() {
  python3 - "$FLOWC_TEST_CLUSTER" "$1" <<'PY'
import json, os, sys
with open(sys.argv[1], encoding="utf-8") as file:
    cluster = json.load(file)
match sys.argv[2]:
    case "kubeconfig":
        # As kubectl finds it, if the description names none.
        print(cluster.get("kubeconfig") or os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config"))
    case "exec":
        print(*cluster.get("exec", []), sep="\n")
    case "variables":
        print(*(f"{name}={value}" for name, value in cluster["s3"]["env"].items()), sep="\n")
PY
}

own_cluster() {
  local words
  kubeconfig=$(described kubeconfig)
  mapfile -t words < <(described exec | sed '/^$/d')
  mapfile -t variables < <(described variables)
  programs=$(dirname "$(type -P kubectl)") || { say "needs kubectl"; exit 77; }
  inside() { "${words[@]}" "$@"; }
  case $verb in
    up | describe) cat "$FLOWC_TEST_CLUSTER" ;;
    exec) exec "${words[@]}" env KUBECONFIG="$kubeconfig" "${variables[@]}" "$@" ;;
    namespace) namespace "$1" ;;
    argo)
      kubectl get workflowtemplates --all-namespaces >/dev/null
      namespace "${3:-argo}"
      ;;
    shim | down) say "$verb: nothing to do on a cluster of your own, which has its images and stays" ;;
    *)
      say "$verb: not on a cluster of your own"
      exit 77
      ;;
  esac
}
