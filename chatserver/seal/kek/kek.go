// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package kek reaches key-encryption keys wherever they live. Each provider is a file; a Ring holds the configured keys
// of one tenant.
package kek

import (
	"errors"

	"github.com/chattenant/chattenant/chatserver/seal"
)

var (
	// ErrUnavailable says that a key could not be asked or may not be used now: it is worth trying again.
	ErrUnavailable = errors.New("key-encryption key unavailable")
	// ErrUnusable says that there is no key where one is configured: trying again cannot help.
	ErrUnusable = errors.New("key-encryption key unusable")
)

// Key is one configured key-encryption key. Safe for concurrent use; every call is bounded in time.
type Key struct {
	seal.KEK
	// Generation counts rotations, whichever provider they led to.
	Generation int64
	// Name says in messages and records where the key lives. It is no secret.
	Name string
	// Remote says that somebody else decides, at any time, whether the key may be used.
	Remote bool
	// Version tells which version of the key made a ciphertext, where the provider counts versions; nil elsewhere.
	Version func(ciphertext []byte) int64
}
