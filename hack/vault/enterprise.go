// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "unsafe" // For go:linkname.

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/vault"
)

// entPaths are the places where Vault says that something takes its Enterprise edition. The release of its SDK that the
// transit engine takes refuses to serve them, because it is a month newer than they are; Vault itself is built with a
// state of its SDK between two releases, which is not to be had as a module.
//
//go:linkname entPaths github.com/hashicorp/vault/vault.entPaths
var entPaths func(*vault.SystemBackend) []*framework.Path

func init() {
	entPaths = func(*vault.SystemBackend) []*framework.Path { return nil }
}
