// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package podnet opens connections with the network identity of a pod or a node.
//
// A tenant's pods cannot be asked to probe anything: their images hold no shell, and admission refuses foreign pods
// and ephemeral containers in tenant namespaces. But a network policy judges packets by the network namespace they
// come out of, not by the program that made them. A socket made inside a pod's network namespace has the pod's
// addresses, routes and rules, so what it can and cannot reach is exactly what the pod can and cannot reach.
//
// It needs root on the machine that runs the nodes, where every pod's processes are visible: the local cluster, or
// kind.
package podnet
