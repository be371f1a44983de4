// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package seal encrypts what the database must never see in the clear. Keys form a chain: the key-encryption key (KEK),
// which lives outside the database, wraps the tenant's keysets; the tenant's keyset wraps one keyset per data subject
// (visitor); subject keys seal that person's rows, the tenant's keyset seals rows that belong to no visitor. Destroying
// a subject's wrapped keyset makes everything about that person unreadable.
//
// Every ciphertext is bound to its place (tenant, table, column, row): moved anywhere else it does not open.
package seal
