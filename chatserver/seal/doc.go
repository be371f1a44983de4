// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package seal encrypts what the database must never see in the clear. Keys form a chain: the key-encryption key (KEK),
// which lives outside the database, wraps the tenant's keysets; the tenant's keyset wraps one keyset per data subject
// (visitor); subject keys seal that person's rows, the tenant's keyset seals rows that belong to no visitor. Destroying
// a subject's wrapped keyset makes everything about that person unreadable.
//
// Keysets are rotated without a pause: a new key is added and only opens (WithNewKey), then seals (WithPrimary), and
// once nothing needs the old ones they go (WithoutOthers). Each step makes a new Tenant; when to take which is decided
// by package store, which knows the rows and the replicas. A ciphertext begins with its key's id, so what needs an old
// key can be found without opening it, and a ciphertext of a key that is not there (ErrUnknownKey) can be told from one
// that was changed.
//
// Every ciphertext is bound to its place (tenant, table, column, row): moved anywhere else it does not open.
package seal
