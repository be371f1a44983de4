// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package routes knows which ChatTenant owns which host name. It reads ChatTenants and nothing else, believes no status
// field, and keeps what it knows while the API server is away.
package routes

import (
	"slices"
	"sync"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Table maps host names to tenants. Its zero value is not usable, see [NewTable]. It is safe for concurrent use; Set
// and Delete must come from one goroutine, as they do from an informer.
type Table struct {
	moved func(tenant string)

	mu      sync.RWMutex
	claims  map[string][]*v1alpha1.ChatTenant // by host, the owner first
	tenants map[string]*v1alpha1.ChatTenant   // by name, only those with a claim
}

// NewTable makes an empty table. It calls moved, if not nil, with the name of every tenant that has lost a host, after
// Lookup says so.
func NewTable(moved func(tenant string)) *Table {
	return &Table{
		moved:   moved,
		claims:  map[string][]*v1alpha1.ChatTenant{},
		tenants: map[string]*v1alpha1.ChatTenant{},
	}
}

// Lookup returns the name of the tenant that owns a host.
func (t *Table) Lookup(host string) (tenant string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	claims := t.claims[host]
	if len(claims) == 0 {
		return "", false
	}
	return claims[0].Name, true
}

// Hosts counts the names that lead somewhere.
func (t *Table) Hosts() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.claims)
}

// Set takes up what a tenant claims now. A tenant that is being deleted claims nothing. The table keeps the pointer.
func (t *Table) Set(tenant *v1alpha1.ChatTenant) {
	old := t.tenants[tenant.Name]
	if old != nil && sameClaim(old, tenant) {
		return
	}
	t.Delete(tenant.Name)
	if v1alpha1.Claims(tenant) {
		t.report(t.claim(tenant))
	}
}

// Delete drops a tenant's claim, if it has one; the next in line inherits the host.
func (t *Table) Delete(tenant string) {
	t.report(t.drop(tenant))
}

// sameClaim says whether nothing that decides a route differs. The UID counts: a tenant deleted and made anew under
// its old name is another one, and connections to the first must not be taken for its.
func sameClaim(a, b *v1alpha1.ChatTenant) bool {
	return a.UID == b.UID && a.Spec.Endpoint.Host == b.Spec.Endpoint.Host &&
		a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		a.DeletionTimestamp.IsZero() == b.DeletionTimestamp.IsZero()
}

// claim puts a tenant in line for its host and returns who owned it until now, if that changed.
func (t *Table) claim(tenant *v1alpha1.ChatTenant) (loser string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	host := tenant.Spec.Endpoint.Host
	claims := t.claims[host]
	at, _ := slices.BinarySearchFunc(claims, tenant, compareClaims)
	if at == 0 && len(claims) > 0 {
		loser = claims[0].Name
	}
	t.claims[host] = slices.Insert(claims, at, tenant)
	t.tenants[tenant.Name] = tenant
	return loser
}

// drop takes a tenant out of its line and returns it if it owned the host.
func (t *Table) drop(name string) (loser string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tenant := t.tenants[name]
	if tenant == nil {
		return ""
	}
	host := tenant.Spec.Endpoint.Host
	claims := t.claims[host]
	at := slices.Index(claims, tenant)
	if at == 0 {
		loser = name
	}
	t.claims[host] = slices.Delete(claims, at, at+1)
	if len(claims) == 1 {
		delete(t.claims, host)
	}
	delete(t.tenants, name)
	return loser
}

func (t *Table) report(loser string) {
	if loser != "" && t.moved != nil {
		t.moved(loser)
	}
}

func compareClaims(a, b *v1alpha1.ChatTenant) int {
	switch {
	case v1alpha1.ClaimsBefore(a, b):
		return -1
	case v1alpha1.ClaimsBefore(b, a):
		return 1
	default:
		return 0
	}
}
