#!/usr/bin/env bash
# Runs a command with KUBEBUILDER_ASSETS naming the folder of etcd, kube-apiserver and kubectl, which are built first if
# they have to be. KUBEBUILDER_ASSETS that is set already is left as it is.
#
# The command gets a session of its own, of which nothing is left in the end: a test that panics or runs out of time
# leaves its API server behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [[ -z ${KUBEBUILDER_ASSETS:-} ]]; then
    go -C "$here/../localcluster" run . binaries >&2
    KUBEBUILDER_ASSETS=$(go -C "$here/../localcluster" run . bin)
    export KUBEBUILDER_ASSETS
fi
setsid "$@" &
session=$!
trap 'pkill -KILL --session "$session" || true' EXIT
trap 'exit 130' INT TERM
wait "$session"
