// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e shows on a real cluster what ChatTenant promises. Its tests are behind the build tag e2e:
//
//	make demo && go test -tags e2e -count=1 ./test/e2e/...
//
// They need the installation that `make demo` leaves: tenants acme in eu-central and globex in us-east, Ready behind
// the ingress gateway on 127.0.0.1. Everything else they make themselves, under names that begin with e2e-, and
// remove again. KUBECONFIG names the cluster; without it the local one is asked for. The tests enter the network
// namespaces of pods, so they run as root on the machine that runs the nodes.
//
// Tests that look at the whole cluster run one after the other, in the order of the files; those that keep to tenants
// of their own run in parallel, after them.
package e2e
