# Starts and ends the programs of a bed; read by `bed`, whose variables and functions it uses.
# shellcheck shell=bash disable=SC2154

start_all() {
  mkdir -p "$bed/log" "$bed/certs" "$bed/cni" "$bed/kubelet"
  start_network
  start_containerd
  make_credentials
  start etcd "$programs/etcd" --data-dir "$bed/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
  start_apiserver
  # No pod starts without the first. The others, of a few hundred MB, go in meanwhile.
  import "$images/pause.tar"
  import_steps 9>&- &
  local importing=$!
  wait_for "the API server" kubectl get --raw /readyz
  kubectl apply -f "$here/policies.yaml" >/dev/null
  start_controllers
  start_kubelet
  wait_for "the node" node_is_ready
  wait_for "the service account" kubectl get serviceaccount default
  wait "$importing"
}

# One after the other: the second finds the layer that both have.
import_steps() { import "$images/bare.tar" && import "$images/step.tar"; }

node_is_ready() { kubectl get node node1 | grep -q ' Ready'; }

start_network() {
  ip netns add "$name"
  ip -n "$name" link set lo up
  ip -n "$name" address add "$NODE/32" dev lo
  # The name of the network is the bed's: the library keeps files by it in /var/lib/cni, which all beds share.
  cat >"$bed/cni/10-bed.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "$name", "plugins": [
  {"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$bed/cni/ipam",
            "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
}

start_containerd() {
  # restrict_oom_score_adj: without CAP_SYS_RESOURCE every sandbox fails ("can't get final child's PID").
  # netns_mounts_under_state_dir, opt.path: these would be in /run/netns and /opt/containerd otherwise, for all beds.
  cat >"$bed/containerd.toml" <<TOML
version = 2
root = "$bed/containerd/root"
state = "$bed/containerd/state"
[grpc]
  address = "$socket"
[plugins."io.containerd.internal.v1.opt"]
  path = "$bed/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/flowc/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$bed/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
TOML
  start containerd containerd --config "$bed/containerd.toml"
}

# Keys and certificates, and the kubeconfig of the one administrator. In JSON: kubectl takes what starts with `{` for it.
make_credentials() {
  local token
  (
    cd "$bed/certs" || exit
    openssl genrsa -out accounts.key 2048
    openssl rsa -in accounts.key -pubout -out accounts.pub
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=flowc-bed -days 3650
    openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver
    echo "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:$NODE" >names
    openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out api.crt -days 3650 -extfile names
  ) >"$bed/log/openssl" 2>&1
  token=$(openssl rand -hex 16)
  (
    umask 077
    echo "$token,admin,admin,system:masters" >"$bed/certs/tokens.csv"
    cat >"$kubeconfig" <<JSON
{"apiVersion": "v1", "kind": "Config", "current-context": "bed",
 "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "admin"}}],
 "clusters": [{"name": "bed", "cluster": {"server": "https://$NODE:443", "certificate-authority": "$bed/certs/ca.crt"}}],
 "users": [{"name": "admin", "user": {"token": "$token"}}]}
JSON
  )
}

start_apiserver() {
  # MutatingAdmissionPolicy is what policies.yaml is written in.
  start apiserver "$programs/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --advertise-address="$NODE" --secure-port=443 \
    --tls-cert-file="$bed/certs/api.crt" --tls-private-key-file="$bed/certs/api.key" \
    --token-auth-file="$bed/certs/tokens.csv" --authorization-mode=Node,RBAC \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$bed/certs/accounts.pub" --service-account-signing-key-file="$bed/certs/accounts.key" \
    --service-cluster-ip-range=10.96.0.0/24 --endpoint-reconciler-type=none \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true \
    --feature-gates=MutatingAdmissionPolicy=true --runtime-config=admissionregistration.k8s.io/v1beta1=true
}

start_controllers() {
  start controllers "$programs/kube-controller-manager" --kubeconfig="$kubeconfig" \
    --service-account-private-key-file="$bed/certs/accounts.key" --root-ca-file="$bed/certs/ca.crt" \
    --leader-elect=false --bind-address=127.0.0.1 \
    --controllers='*,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller'
  start scheduler "$programs/kube-scheduler" --kubeconfig="$kubeconfig" --leader-elect=false --bind-address=127.0.0.1
}

# A root of its own in every hierarchy: two kubelets that share /kubepods kill each other's pods.
make_cgroups() {
  local hierarchy file
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    sed 's/\([a-z]*\)/+\1/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "/sys/fs/cgroup/$name"
    return
  fi
  for hierarchy in /sys/fs/cgroup/*/; do
    [ -e "$hierarchy/tasks" ] || continue
    mkdir -p "$hierarchy$name"
    # A new cpuset has no processors, and nothing can be put into it.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$hierarchy$file" ] || cat "$hierarchy$file" >"$hierarchy$name/$file"
    done
  done
}

start_kubelet() {
  make_cgroups
  # failCgroupV1: kubelet 1.35 refuses machines that still have the first version of cgroups.
  # maxPods: requests hold nothing back (policies.yaml), and a machine that starts 200 pods at a time gets none of them to run.
  # resolvConf: there is no name server in the bed's network.
  cat >"$bed/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: "unix://$socket"
cgroupDriver: cgroupfs
cgroupRoot: "/$name"
failCgroupV1: false
failSwapOn: false
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
maxPods: $((10 * $(nproc)))
resolvConf: ""
clusterDNS: [10.96.0.10]
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
podLogsDir: "$bed/podlogs"
serializeImagePulls: false
YAML
  start kubelet "$programs/kubelet" --config="$bed/kubelet.yaml" --kubeconfig="$kubeconfig" \
    --root-dir="$bed/kubelet" --cert-dir="$bed/kubelet/pki" --hostname-override=node1 --node-ip="$NODE"
}

start_s3() {
  local python
  python=$("$here/../install" venv moto "$here/../aws/requirements.txt")
  start s3 "$python" "$here/s3.py" serve "$S3_PORT" "$bed/s3.jsonl"
  wait_for S3 inside env "${variables[@]}" "$python" -c \
    "import boto3; boto3.client('s3', endpoint_url='$s3').create_bucket(Bucket='flows')"
}

# Whether a controller looks after the namespace $1 already. One that looks after another ends: binaries that share a bed take turns.
has_controller() {
  alive argo || return 1
  [ "$(cat "$bed/argo.namespace")" != "$1" ] || return 0
  stop argo
  ! alive events || stop events
  return 1
}

# Argo as a platform's administrators set it up on a cluster with the restricted profile: see argo.yaml.
start_argo() {
  local programs_of_argo=$1 crds=$2 namespace=${3:-argo} root
  if has_controller "$namespace"; then return; fi
  # Under load the first attempt may time out.
  wait_for "Argo's definitions" kubectl apply --server-side --force-conflicts -f "$crds" -f "$here/../argo/events.yaml"
  # The API server takes some seconds to serve what it has just been told of.
  wait_for "Argo's resources" kubectl get workflows,workflowtemplates,cronworkflows,workflowtaskresults,sensors,eventsources
  root=$(mktemp -d --tmpdir="$bed" argoexec.XXXXXX)
  mkdir -m 0755 "$root/bin" "$root/etc"
  mkdir -m 1777 "$root/tmp"
  cp "$programs_of_argo/argoexec" "$root/bin/"
  chmod 0755 "$root"
  echo 'argo:x:8737:8737::/:/sbin/nologin' >"$root/etc/passwd"
  image docker.io/flowc/argoexec:test "$root" --env PATH=/bin --user 8737
  rm -rf "$root"
  namespace "$namespace"
  sed "s/NAMESPACE/$namespace/" "$here/argo.yaml" | kubectl apply --namespace "$namespace" -f - >/dev/null
  echo "$namespace" >"$bed/argo.namespace"
  # Its own interval of ten seconds doubles the time of every run here.
  start argo env KUBECONFIG="$kubeconfig" LEADER_ELECTION_DISABLE=true DEFAULT_REQUEUE_TIME=1s \
    "$programs_of_argo/workflow-controller" --namespaced --namespace "$namespace" \
    --executor-image docker.io/flowc/argoexec:test --executor-image-pull-policy Never
  start events env KUBECONFIG="$kubeconfig" PATH="$programs:$PATH" PYTHONDONTWRITEBYTECODE=1 \
    python3 "$here/../argo/standin" --namespace "$namespace" --wait-image none --only-events
}

# Our own program in its place, where Argo's are not to be had. It reads counts by kubectl.
start_standin() {
  local crds=$1 namespace=${2:-argo}
  if has_controller "$namespace"; then return; fi
  # Under load the first attempt may time out.
  wait_for "Argo's definitions" kubectl apply --server-side --force-conflicts -f "$crds" -f "$here/../argo/events.yaml"
  wait_for "Argo's resources" kubectl get workflows,workflowtemplates,cronworkflows,sensors,eventsources
  namespace "$namespace"
  echo "$namespace" >"$bed/argo.namespace"
  start argo env KUBECONFIG="$kubeconfig" PATH="$programs:$PATH" PYTHONDONTWRITEBYTECODE=1 \
    python3 "$here/../argo/standin" --namespace "$namespace" --wait-image docker.io/flowc/step:test
}

# Ends what is running, by the bed's own namespace and cgroups, so that nothing of another bed or of the machine is meant.
end_all() {
  end_processes
  # Of each container something is in folders that all beds share: its shim's socket, runc's state, its loopback's record.
  local file container
  if [ -d "$bed/containerd/state" ]; then
    find "$bed/containerd/state" -name address | while read -r file; do
      container=$(basename "$(dirname "$file")")
      rm -f "$(sed 's,^unix://,,' "$file")"
      rm -rf "/run/containerd/runc/k8s.io/$container" /var/lib/cni/results/*-"$container"-*
    done
  fi
  # Newest first: mounts lie in each other.
  awk -v bed="$bed/" 'index($2, bed) == 1 { print $2 }' /proc/mounts | tac | while read -r file; do
    umount --lazy "$file" || true
  done
  ip netns delete "$name" 2>/dev/null || true
  remove_cgroups
  rm -rf /var/lib/cni/results/"$name"-* /var/lib/cni/cache/results/"$name"-*
  find /var/log/containers -lname "$bed/*" -delete 2>/dev/null || true
  if [ -d "$bed" ]; then
    find "$bed" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf --one-file-system {} +
  fi
  rm -f "$bed.lock" "$REGISTRY/$name"
}

# Programs of the node and containerd's shims are in the bed's network, containers in its cgroups.
bed_processes() {
  ip netns pids "$name" 2>/dev/null || true
  find /sys/fs/cgroup -path "*/$name/*" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

end_processes() {
  local tries process processes
  for ((tries = 0; tries < 50; tries++)); do
    processes=$(bed_processes | grep -vx "$$" | sort -u || true)
    [ -n "$processes" ] || return 0
    for process in $processes; do kill -KILL "$process" 2>/dev/null || true; done
    sleep 0.1
  done
  say "some processes of $bed do not end: $(echo "$processes" | tr '\n' ' ')"
}

remove_cgroups() {
  local folder
  # Deepest first; the kernel takes a moment after the last process of a group has gone.
  { find /sys/fs/cgroup -depth -type d \( -path "*/$name" -o -path "*/$name/*" \) 2>/dev/null || true; } | while read -r folder; do
    rmdir "$folder" 2>/dev/null || { sleep 0.2; rmdir "$folder"; } || true
  done
}
