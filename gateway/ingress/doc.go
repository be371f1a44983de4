// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package ingress is the gateway every visitor and agent passes: one TCP listener for all tenants that routes by the
// server name of the TLS ClientHello and never terminates TLS.
//
// A connection is admitted (total and per-source caps), its ClientHello is read within a time limit, the name is looked
// up in [Routes], the tenant's chat server is dialled, a PROXY protocol version 2 header with the client's address goes
// first, then the bytes already read, and from there on both directions are spliced in the kernel. The gateway holds no
// key, so it can drop or delay a tenant's traffic but neither read nor forge it.
package ingress
