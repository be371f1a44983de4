// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package test checks on the running local cluster that it keeps what it promises: regions, volumes, network policies,
// certificates, and that it leaves nothing behind. It needs a cluster with the PostgreSQL image loaded:
//
//	go -C hack/localcluster test -tags cluster -count 1 ./test
//
// With the tag lifecycle besides, a second cluster is brought up, killed in every way, mended and taken down.
package test
