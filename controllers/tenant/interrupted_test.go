// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// failOnce loses the first request that matches before it reaches the server.
type failOnce struct {
	next    http.RoundTripper
	matches func(*http.Request) bool
	failed  *atomic.Bool
}

func (f failOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.matches(r) && f.failed.CompareAndSwap(false, true) {
		return nil, errors.New("lost on purpose")
	}
	return f.next.RoundTrip(r)
}

// TestARetainedTenantGoesThoughItsLastWriteFailed: by then the operator has given up its rights in the namespace, and
// must not need them again.
func TestARetainedTenantGoesThoughItsLastWriteFailed(t *testing.T) {
	platform(t)
	var armed, failed atomic.Bool
	startOperatorWith(t, func(next http.RoundTripper) http.RoundTripper {
		return failOnce{next, func(r *http.Request) bool {
			return armed.Load() && r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/chattenants/interrupted")
		}, &failed}
	})
	tenant := newTenant("interrupted")
	create(t, tenant)
	report(t, tenant.Name)
	wantCondition(t, tenant.Name, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	armed.Store(true)
	remove(t, tenant)
	if !failed.Load() {
		t.Error("no write was lost, so this shows nothing")
	}
}
