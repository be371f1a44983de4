// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/policy"
)

const outsideResidency = "outside spec.residency.jurisdictions"

// countries are every member of a set, and some that are in none.
var countries = strings.Fields("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS " +
	"LI NO CH GB US CA UA TR RS AL MC SM VA JP XK")

// TestAResidencyIsRefusedExactlyWhereTheOperatorWouldStall lets both judge every country.
func TestAResidencyIsRefusedExactlyWhereTheOperatorWouldStall(t *testing.T) {
	c := as(t, person)
	for _, country := range countries {
		name := "place-" + strings.ToLower(country)
		region := changed(t, manifest(t, "dataregion"), set("metadata.name", name), set("spec.jurisdiction", country))
		ensure(t, c, region)
	}
	refused := 0
	for _, country := range countries {
		if err := regionKnown(t.Context(), "place-"+strings.ToLower(country)); err != nil {
			t.Fatal(err)
		}
		for _, allowed := range [][]string{{"EU"}, {"EEA"}, {country}, {"US", "EU"}, {"CH", "JP"}} {
			tenant := changed(t, manifest(t, "chattenant"), set("metadata.name", "placed"),
				set("spec.region", "place-"+strings.ToLower(country)), set("spec.residency.jurisdictions", allowed))
			err := creation(tenant)(t.Context(), c)
			if policy.Within(v1alpha1.Jurisdiction(country), countriesOf(allowed)) {
				if err != nil {
					t.Errorf("%s in %v: %v", country, allowed, err)
				}
				continue
			}
			refused++
			wantRefusal(t, err, outsideResidency)
		}
	}
	if refused < 3*len(countries)/2 {
		t.Errorf("only %d were refused", refused)
	}
}

func countriesOf(names []string) []v1alpha1.Jurisdiction {
	out := make([]v1alpha1.Jurisdiction, len(names))
	for i, name := range names {
		out[i] = v1alpha1.Jurisdiction(name)
	}
	return out
}

func TestAResidencyIsHeldToWhenItChangesAndInTheWayOfNothingElse(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	tenant := changed(t, manifest(t, "chattenant"), set("metadata.name", "resident"), set("spec.region", "eu-central"),
		set("spec.endpoint.host", "resident.example"), set("spec.residency.jurisdictions", []string{"EU"}))
	ensure(t, c, tenant)
	narrow := patching(tenant, `{"spec":{"residency":{"jurisdictions":["FR"]}}}`)
	wantRefusal(t, narrow(t.Context(), c), outsideResidency)
	for name, body := range map[string]string{
		"widen it":           `{"spec":{"residency":{"jurisdictions":["FR","EEA"]}}}`,
		"drop it":            `{"spec":{"residency":null}}`,
		"change another":     `{"spec":{"displayName":"Another"}}`,
		"annotate":           `{"metadata":{"annotations":{"a":"b"}}}`,
		"put a finalizer on": `{"metadata":{"finalizers":["example.com/hold"]}}`,
	} {
		if err := patching(tenant, body)(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	unknown := changed(t, manifest(t, "chattenant"), set("metadata.name", "early"), set("spec.region", "not-yet"),
		set("spec.residency.jurisdictions", []string{"JP"}))
	if err := creation(unknown)(t.Context(), c); err != nil {
		t.Errorf("a region that does not exist yet: %v", err)
	}
}

func TestAHostThatAnotherTenantHasIsRefused(t *testing.T) {
	c := as(t, person)
	holder := changed(t, manifest(t, "chattenant"), set("metadata.name", "holder"), set("spec.endpoint.host",
		"held.example"))
	mover := changed(t, manifest(t, "chattenant"), set("metadata.name", "mover"), set("spec.endpoint.host",
		"free.example"))
	for _, o := range []*unstructured.Unstructured{holder, mover} {
		ensureKnown(t, o)
	}
	const taken = "host held.example belongs to ChatTenant holder: choose another spec.endpoint.host"
	rival := changed(t, manifest(t, "chattenant"), set("metadata.name", "rival"), set("spec.endpoint.host",
		"held.example"))
	wantRefusal(t, creation(rival)(t.Context(), c), taken)
	toHeld := patching(mover, `{"spec":{"endpoint":{"host":"held.example"}}}`)
	wantRefusal(t, toHeld(t.Context(), c), taken)
	for name, try := range map[string]attempt{
		"a free one":           patching(mover, `{"spec":{"endpoint":{"host":"other.example"}}}`),
		"its own once more":    patching(holder, `{"spec":{"endpoint":{"host":"held.example"},"displayName":"H"}}`),
		"another, then create": creation(changed(t, rival, set("spec.endpoint.host", "rival.example"))),
	} {
		if err := try(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that is on its way out, and held by a finalizer, has let its host go already.
	finalizers := func(list string) client.Patch {
		return client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":`+list+`}}`))
	}
	if err := c.Patch(t.Context(), holder, finalizers(`["test.example/held"]`)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := adminClient(t).Patch(context.Background(), holder, finalizers("null")); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	remove(t, holder)
	if err := toHeld(t.Context(), c); err != nil {
		t.Errorf("a host that was let go: %v", err)
	}
}

func TestARegionThatNodesCanClaimIsWarnedOf(t *testing.T) {
	const warning = "a node can claim to be in DataRegion"
	for _, row := range []struct {
		labels map[string]string
		warned bool
	}{
		{map[string]string{"topology.kubernetes.io/region": "x"}, true},
		{map[string]string{"example.com/region": "x", "my-node-restriction.kubernetes.io/r": "x"}, true},
		{map[string]string{"node-restriction.kubernetes.io/region": "x"}, false},
		{map[string]string{"acme.node-restriction.kubernetes.io/region": "x", "topology.kubernetes.io/region": "x"}, false},
	} {
		c, heard := listening(t, person)
		region := changed(t, manifest(t, "dataregion"), set("metadata.name", "claimed"), set("spec.nodeSelector",
			row.labels))
		if err := creation(region)(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		warns := func(text string) bool { return strings.Contains(text, warning) }
		if got := slices.ContainsFunc(heard(), warns); got != row.warned {
			t.Errorf("%v: warned is %v", row.labels, got)
		}
	}
}
