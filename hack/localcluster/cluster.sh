#!/bin/bash
# Copyright The ChatTenant Authors
# SPDX-License-Identifier: Apache-2.0
#
# One way to three clusters: CLUSTER=local (made on this machine, needs root), kind (needs Docker and kind) or current
# (whatever kubectl points at, which is checked and never changed).
set -euo pipefail

cluster=${CLUSTER:-local}
here=$(cd "$(dirname "$0")" && pwd)
kind_name=chattenant
kind_kubeconfig=${XDG_CACHE_HOME:-$HOME/.cache}/chattenant/kind.kubeconfig
region_label="node-restriction.kubernetes.io/region"

usage() {
  cat <<'EOF'
cluster.sh up|down|load FILE.tar ...|kubeconfig|bin|borrow COMMAND ...
  up          bring the cluster up, or check that it has what is needed
  down        remove it (never the current context's)
  load        import images into every node
  kubeconfig  print the path of the kubeconfig
  bin         print the folder of kubectl
  borrow      run a command that brings the cluster up; remove it afterwards unless it was up before
EOF
}

need() {
  command -v "$1" >/dev/null || {
    echo "$1 is not installed, and CLUSTER=$cluster needs it" >&2
    exit 1
  }
}

bin_of_kubectl() {
  need kubectl
  dirname "$(command -v kubectl)"
}

local_cluster() { go -C "$here" run . "$@"; }

# On kind -------------------------------------------------------------------------------------------------------------

kind_kubectl() { kubectl --kubeconfig "$kind_kubeconfig" "$@"; }

kind_up() {
  need kind
  need kubectl
  mkdir -p "$(dirname "$kind_kubeconfig")"
  if ! kind get clusters | grep -qx "$kind_name"; then
    kind create cluster --config "$here/kind/cluster.yaml" --kubeconfig "$kind_kubeconfig" --wait 2m
  fi
  kind export kubeconfig --name "$kind_name" --kubeconfig "$kind_kubeconfig"
  # The administrator's word: a kubelet may not set this label itself.
  local region
  for region in eu-central us-east; do
    kind_kubectl label nodes --overwrite --selector "topology.kubernetes.io/region=$region" "$region_label=$region"
  done
  kind_kubectl apply --server-side -f "$here/kind/storage.yaml"
  KUBECONFIG=$kind_kubeconfig check
}

kind_down() {
  need kind
  kind delete cluster --name "$kind_name" --kubeconfig "$kind_kubeconfig"
  rm -f "$kind_kubeconfig"
}

# kind_load imports archives and gives each image its name by digest, which kind's own command does not.
kind_load() {
  need kind
  local archive reference node
  for archive in "$@"; do
    kind load image-archive "$archive" --name "$kind_name"
    reference=$(cat "${archive%.tar}.ref")
    for node in $(kind get nodes --name "$kind_name"); do
      docker exec "$node" ctr --namespace k8s.io images tag --force "${reference%@*}:local" "$reference"
    done
  done
}

# On any cluster ------------------------------------------------------------------------------------------------------

missing=0
lacks() {
  echo "missing: $1" >&2
  missing=1
}

# check says what the cluster lacks. That policies are enforced cannot be asked; the end-to-end tests find out.
check() {
  need kubectl
  kubectl version >/dev/null || {
    echo "the cluster of the current context does not answer" >&2
    exit 1
  }
  local region
  for region in eu-central us-east; do
    [ -n "$(kubectl get nodes --selector "$region_label=$region" --output name)" ] ||
      lacks "a node of region $region: kubectl label node NAME $region_label=$region"
    kubectl get storageclass "local-$region" >/dev/null 2>&1 ||
      lacks "a StorageClass local-$region whose volumes are in region $region"
  done
  kubectl get crd certificates.cert-manager.io >/dev/null 2>&1 ||
    lacks "cert-manager 1.21 with its CRDs: https://cert-manager.io/docs/installation/helm/"
  [ "$missing" = 0 ] || exit 1
  echo "The cluster has what is needed. Its network must enforce NetworkPolicy."
}

# borrow leaves a cluster as it found it, also when the command fails or is interrupted.
borrow() {
  [ -e "$("$here/cluster.sh" kubeconfig)" ] || trap '"$here/cluster.sh" down' EXIT
  "$@"
}

# ---------------------------------------------------------------------------------------------------------------------

command=${1:-}
[ $# -eq 0 ] || shift
case $cluster:$command in
  local:up | local:down | local:kubeconfig | local:bin | local:status) local_cluster "$command" ;;
  local:load) realpath -- "$@" | xargs -d '\n' go -C "$here" run . load ;;
  kind:up) kind_up ;;
  kind:down) kind_down ;;
  kind:load) kind_load "$@" ;;
  kind:kubeconfig) echo "$kind_kubeconfig" ;;
  kind:bin | current:bin) bin_of_kubectl ;;
  current:up) check ;;
  current:down) echo "The current context's cluster is yours: nothing was removed." ;;
  current:load) echo "Push the images to a registry that the cluster pulls from, and name them in the class." >&2 && exit 1 ;;
  local:borrow | kind:borrow | current:borrow) borrow "$@" ;;
  current:kubeconfig) echo "${KUBECONFIG:-$HOME/.kube/config}" ;;
  local:* | kind:* | current:*) usage >&2 && exit 2 ;;
  *) echo "CLUSTER is $cluster, and must be local, kind or current" >&2 && exit 2 ;;
esac
