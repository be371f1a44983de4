// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Admission hears of tenants, regions and recipients, its parameters, a moment after they are made or gone. All
// policies share what it knows of a kind: one that speaks of an object shows that all know it.

// nowhere is a jurisdiction that nothing lies in.
const nowhere = "ZZ"

// regionKnown waits until admission knows a region.
func regionKnown(ctx context.Context, name string) error {
	tenant := theTenant("looks-for-a-region")
	place(tenant, "spec.region", name)
	place(tenant, "spec.residency.jurisdictions", []any{nowhere})
	return spokenOf(ctx, tenant, "DataRegion "+name+" lies in ")
}

// tenantKnown waits until admission knows a tenant.
func tenantKnown(ctx context.Context, tenant *unstructured.Unstructured) error {
	host, _, err := unstructured.NestedString(tenant.Object, "spec", "endpoint", "host")
	if err != nil {
		return err
	}
	rival := theTenant("rival")
	place(rival, "spec.endpoint.host", host)
	return spokenOf(ctx, rival, "belongs to ChatTenant "+tenant.GetName()+":")
}

// recipientKnown waits until admission knows a recipient.
func recipientKnown(ctx context.Context, name string) error {
	tenant := theTenant("looks-for-a-recipient")
	place(tenant, "spec.residency.jurisdictions", []any{nowhere})
	place(tenant, "spec.subProcessors", map[string]any{
		"approval": "AfterNotice", "use": []any{map[string]any{"name": name}},
	})
	return spokenOf(ctx, tenant, "spec.subProcessors.use names "+name+", ")
}

func spokenOf(ctx context.Context, tenant *unstructured.Unstructured, text string) error {
	c, err := impersonate("")
	if err != nil {
		return err
	}
	var last error
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		last = creation(tenant)(ctx, c)
		return last != nil && strings.Contains(last.Error(), text), nil
	})
	if err != nil {
		return fmt.Errorf("wait for a refusal with %q: %w; the last answer: %w", text, err, last)
	}
	return nil
}

// ensureKnown creates an object for the time of the test, and waits until admission knows it.
func ensureKnown(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	ensure(t, adminClient(t), o)
	if err := admissionKnows(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func admissionKnows(ctx context.Context, o *unstructured.Unstructured) error {
	switch o.GetKind() {
	case "ChatTenant":
		return tenantKnown(ctx, o)
	case "DataRegion":
		return regionKnown(ctx, o.GetName())
	}
	return recipientKnown(ctx, o.GetName())
}

// tenantForgotten waits until admission no longer holds a tenant's host for it. One that is on its way out has let it
// go.
func tenantForgotten(ctx context.Context, tenant *unstructured.Unstructured) error {
	c, err := impersonate("")
	if err != nil {
		return err
	}
	host, _, err := unstructured.NestedString(tenant.Object, "spec", "endpoint", "host")
	if err != nil {
		return err
	}
	heir := theTenant("heir")
	place(heir, "spec.endpoint.host", host)
	return poll(ctx, func(ctx context.Context) (bool, error) {
		err := creation(heir)(ctx, c)
		return err == nil || !strings.Contains(err.Error(), "belongs to ChatTenant "+tenant.GetName()+":"), nil
	})
}
