// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// cacheWaiter closes synced when every cache has its first list. It runs on every replica, leading or not.
type cacheWaiter struct {
	cache  cache.Cache
	synced chan struct{}
}

// Start waits for the caches.
func (w *cacheWaiter) Start(ctx context.Context) error {
	if w.cache.WaitForCacheSync(ctx) {
		close(w.synced)
	}
	return nil
}

// NeedLeaderElection is false: a replica that waits to lead is healthy, too.
func (w *cacheWaiter) NeedLeaderElection() bool { return false }
