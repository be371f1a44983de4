// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"

	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// Vault's own engine and logins, as the core takes them.
var (
	engines = map[string]logical.Factory{"transit": newTransit}
	logins  = map[string]logical.Factory{"cert": cert.Factory, "jwt": jwt.Factory}
)

// registry tells the core which of them there are.
type registry struct{}

func factories(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeSecrets:
		return engines
	case consts.PluginTypeCredential:
		return logins
	default:
		return nil
	}
}

// Contains tells whether there is such an engine or login.
func (registry) Contains(name string, kind consts.PluginType) bool {
	return factories(kind)[name] != nil
}

// Get returns what makes one.
func (registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := factories(kind)[name]
	return func() (any, error) { return factory, nil }, ok
}

// Keys lists the names.
func (registry) Keys(kind consts.PluginType) []string {
	return slices.Sorted(maps.Keys(factories(kind)))
}

// DeprecationStatus knows of none that is deprecated.
func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

// IsBuiltinEntPlugin tells of what takes another edition.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
