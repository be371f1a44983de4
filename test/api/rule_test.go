// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rule is a CEL rule, and a manifest that it refuses.
type rule struct {
	name string
	// at is where the rule stands in the schema, message a part of what it says.
	at, message string
	// offered is what is created, or what a stored object is updated to.
	offered []change
	// stored is nil where the rule judges an object by itself, else what the stored object differs in.
	stored []change
}

// asIs stores the valid object.
var asIs = []change{}

// testRules holds the API server to each rule.
func testRules(t *testing.T, kind string, rules []rule) {
	t.Helper()
	c := adminClient(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			found := causes(t, offer(t, c, kind, r.stored, r.offered))
			explained := slices.ContainsFunc(found, func(cause metav1.StatusCause) bool {
				return strings.TrimPrefix(cause.Field, "<nil>") == elementPath(r.at) && strings.Contains(cause.Message, r.message)
			})
			if !explained {
				t.Errorf("not refused at %q with %q; causes: %v", r.at, r.message, found)
			}
		})
	}
}

// accepted is a manifest that nothing is wrong with.
type accepted struct {
	name            string
	offered, stored []change
}

func testAccepted(t *testing.T, kind string, manifests []accepted) {
	t.Helper()
	c := adminClient(t)
	for _, m := range manifests {
		t.Run(m.name, func(t *testing.T) {
			if err := offer(t, c, kind, m.stored, m.offered); err != nil {
				t.Error(err)
			}
		})
	}
}

// offer creates a valid object with some changes, or updates a stored one to it, without leaving anything behind.
func offer(t *testing.T, c client.Client, kind string, stored, offered []change) error {
	t.Helper()
	base := manifest(t, kind)
	if stored == nil {
		return c.Create(t.Context(), changed(t, base, offered...), client.DryRunAll)
	}
	existing := ensure(t, c, changed(t, base, stored...))
	return c.Update(t.Context(), changed(t, existing, offered...), client.DryRunAll)
}
