// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// neighbour is the name of a tenant that shares acme's node. It is made by the first test that needs it and removed
// after the last, and is the one that tests may break.
const neighbour = ownPrefix + "neighbour"

var makeNeighbour = sync.OnceValue(func() error {
	err := live.Create(context.Background(), newTenant("neighbour"))
	if err != nil {
		return fmt.Errorf("create tenant %s: %w", neighbour, err)
	}
	return nil
})

// withNeighbour waits until the neighbour serves.
func withNeighbour(t *testing.T) *v1alpha1.ChatTenant {
	t.Helper()
	if err := makeNeighbour(); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, neighbour)
	return getTenant(t, neighbour)
}
