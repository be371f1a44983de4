// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/gateway/routes"
)

const host = "chat.acme.example"

var (
	older = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	newer = metav1.NewTime(older.Add(time.Hour))
)

func tenant(name, uid, host string, created metav1.Time) *v1alpha1.ChatTenant {
	return &v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid), CreationTimestamp: created},
		Spec:       v1alpha1.ChatTenantSpec{Endpoint: v1alpha1.Endpoint{Host: host}},
	}
}

func deleting(tenant *v1alpha1.ChatTenant) *v1alpha1.ChatTenant {
	deleted := tenant.DeepCopy()
	deleted.DeletionTimestamp = &newer
	return deleted
}

// step is one thing an informer reports.
type step func(*routes.Table)

func set(t *v1alpha1.ChatTenant) step { return func(table *routes.Table) { table.Set(t) } }
func remove(name string) step         { return func(table *routes.Table) { table.Delete(name) } }

func TestAHostBelongsToItsFirstClaimant(t *testing.T) {
	first, second := tenant("first", "9", host, older), tenant("second", "1", host, newer)
	tests := map[string]struct {
		steps []step
		owner string   // empty when the host leads nowhere
		moved []string // tenants reported to have lost a host, in order
	}{
		"nobody":                      {nil, "", nil},
		"one claimant":                {[]step{set(first)}, "first", nil},
		"the older of two":            {[]step{set(first), set(second)}, "first", nil},
		"the older of two, seen last": {[]step{set(second), set(first)}, "first", []string{"second"}},
		"of the same age the smaller UID": {
			[]step{set(tenant("b", "2", host, older)), set(tenant("a", "3", host, older))}, "b", nil,
		},
		"the next when the owner goes": {
			[]step{set(first), set(second), remove("first")}, "second", []string{"first"},
		},
		"the next when the owner is deleted": {
			[]step{set(first), set(second), set(deleting(first))}, "second", []string{"first"},
		},
		"the owner when the next goes":    {[]step{set(first), set(second), remove("second")}, "first", nil},
		"nobody when the only one goes":   {[]step{set(first), remove("first")}, "", []string{"first"}},
		"nobody when it is being deleted": {[]step{set(deleting(first))}, "", nil},
		"nobody when the owner is renamed": {
			[]step{set(first), set(tenant("first", "9", "else.example", older))}, "", []string{"first"},
		},
		"the same after an unrelated update": {[]step{set(first), set(first.DeepCopy())}, "first", nil},
		"another tenant under the old name": {
			[]step{set(first), set(tenant("first", "7", host, newer))}, "first", []string{"first"},
		},
		"nobody when a stranger is deleted":  {[]step{remove("stranger")}, "", nil},
		"nobody for a tenant without a host": {[]step{set(tenant("first", "9", "", older))}, "", nil},
		"the middle of three after the first": {
			[]step{set(tenant("c", "c", host, newer)), set(second), set(first), remove("first")},
			"second", []string{"c", "second", "first"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var moved []string
			table := routes.NewTable(func(tenant string) { moved = append(moved, tenant) })
			for _, step := range test.steps {
				step(table)
			}
			owner, ok := table.Lookup(host)
			if owner != test.owner || ok != (test.owner != "") {
				t.Errorf("Lookup = %q, %t; want %q", owner, ok, test.owner)
			}
			if diff := cmp.Diff(test.moved, moved); diff != "" {
				t.Errorf("tenants that lost a host (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATenantIsReportedAfterItsHostLeadsElsewhere(t *testing.T) {
	var owner string
	var table *routes.Table
	table = routes.NewTable(func(string) { owner, _ = table.Lookup(host) })
	table.Set(tenant("second", "1", host, newer))
	table.Set(tenant("first", "9", host, older))
	if owner != "first" {
		t.Errorf("while the loss was reported the host led to %q, want first", owner)
	}
}

func TestATenantMadeAnewIsNotServedWhileTheOldOneIsReported(t *testing.T) {
	served := true
	var table *routes.Table
	table = routes.NewTable(func(string) { _, served = table.Lookup(host) })
	table.Set(tenant("acme", "1", host, older))
	table.Set(tenant("acme", "2", host, newer))
	if served {
		t.Error("the host still led to the name both share, so that connections of the first would have been kept")
	}
}

func TestHostsCountsNamesNotClaims(t *testing.T) {
	table := routes.NewTable(nil)
	table.Set(tenant("a", "1", host, older))
	table.Set(tenant("b", "2", host, newer))
	table.Set(tenant("c", "3", "chat.initech.example", newer))
	if got := table.Hosts(); got != 2 {
		t.Errorf("Hosts() = %d, want 2", got)
	}
	table.Delete("c")
	if got := table.Hosts(); got != 1 {
		t.Errorf("after a deletion Hosts() = %d, want 1", got)
	}
}
