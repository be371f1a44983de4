// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package egress is a tenant's only way out: an HTTP proxy that knows CONNECT alone, over mutual TLS, for the tenant's
// chat server.
//
// A connection is passed on only if all of this holds: its host and port are declared by a recipient that is effective
// now; every address that the host resolves to is on the public internet; and the client then opens a TLS connection
// for exactly that host. The address that was checked is the address that is dialled. The gateway sees no plaintext.
//
// What is declared comes from a file and may change at any time: connections that are declared no longer end at once.
package egress
