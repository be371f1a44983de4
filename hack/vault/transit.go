// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// newTransit is the engine's own factory, with an answer for those of its paths of which its SDK wants to know whether
// what they write is there before: as before the SDK asked, they update.
func newTransit(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	engine, err := transit.Backend(ctx, config)
	if err != nil {
		return nil, err
	}
	for _, path := range engine.Paths {
		if path.ExistenceCheck == nil {
			path.ExistenceCheck = exists
		}
	}
	return engine, engine.Setup(ctx, config)
}

func exists(context.Context, *logical.Request, *framework.FieldData) (bool, error) { return true, nil }
