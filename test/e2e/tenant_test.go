// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

const (
	// ownPrefix begins the names of everything that the tests make.
	ownPrefix = "e2e-"
	// removalPatience bounds the teardown of a tenant: its database is given a minute to stop, on a machine that may be
	// busy.
	removalPatience = 5 * time.Minute
)

// newTenant describes a tenant of the demo's class in eu-central, which leaves nothing behind when it is deleted.
func newTenant(name string) *v1alpha1.ChatTenant {
	return &v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{Name: ownPrefix + name},
		Spec: v1alpha1.ChatTenantSpec{
			ClassName:   demoClass,
			DisplayName: "End-to-end test " + name,
			Region:      "eu-central",
			Endpoint: v1alpha1.Endpoint{
				Host:           ownPrefix + name + ".localhost",
				AllowedOrigins: []v1alpha1.Origin{"https://www.e2e.example"},
			},
			Privacy:        v1alpha1.Privacy{PolicyURL: "https://www.e2e.example/privacy"},
			DeletionPolicy: v1alpha1.DeletionDelete,
		},
	}
}

// create makes a tenant and removes it when the test ends.
func create(t *testing.T, tenant *v1alpha1.ChatTenant) *v1alpha1.ChatTenant {
	t.Helper()
	return createUntil(t, tenant, live.removeTenant)
}

// createOnce makes a tenant whose name nobody uses again, and waits until it serves. Nobody waits for its end but the
// sweep after the last test.
func createOnce(t *testing.T, tenant *v1alpha1.ChatTenant) *v1alpha1.ChatTenant {
	t.Helper()
	createUntil(t, tenant, live.dismissTenant)
	awaitReady(t, tenant.Name)
	return tenant
}

func createUntil(
	t *testing.T, tenant *v1alpha1.ChatTenant, remove func(context.Context, string) error,
) *v1alpha1.ChatTenant {
	t.Helper()
	if err := live.Create(t.Context(), tenant); err != nil {
		t.Fatalf("create tenant %s: %v", tenant.Name, err)
	}
	t.Cleanup(func() {
		if err := remove(context.Background(), tenant.Name); err != nil {
			t.Errorf("remove tenant %s: %v", tenant.Name, err)
		}
	})
	return tenant
}

// createReady makes a tenant and waits until it serves.
func createReady(t *testing.T, tenant *v1alpha1.ChatTenant) *v1alpha1.ChatTenant {
	t.Helper()
	create(t, tenant)
	awaitReady(t, tenant.Name)
	return tenant
}

func awaitReady(t *testing.T, name string) {
	t.Helper()
	awaitCondition(t, name, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// awaitCondition waits until a condition of a tenant says what it should about the present spec, and returns it.
func awaitCondition(
	t *testing.T, name, condition string, status metav1.ConditionStatus, reason string,
) metav1.Condition {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("tenant %s:\n%s", name, describe(name))
		}
	})
	var found metav1.Condition
	what := fmt.Sprintf("tenant %s: %s is %s because of %s", name, condition, status, reason)
	eventually(t, startPatience, what, func(ctx context.Context) error {
		tenant := &v1alpha1.ChatTenant{}
		if err := live.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
			return err
		}
		c := meta.FindStatusCondition(tenant.Status.Conditions, condition)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != tenant.Generation {
			return fmt.Errorf("got %s", conditionText(c))
		}
		found = *c
		return nil
	})
	return found
}

func conditionText(c *metav1.Condition) string {
	if c == nil {
		return "no such condition"
	}
	return fmt.Sprintf("%s=%s (%s, generation %d): %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message)
}

// getTenant reads a tenant that must exist.
func getTenant(t *testing.T, name string) *v1alpha1.ChatTenant {
	t.Helper()
	tenant := &v1alpha1.ChatTenant{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: name}, tenant); err != nil {
		t.Fatalf("read tenant %s: %v", name, err)
	}
	return tenant
}

// changeTenant changes a tenant's declaration as a user would, against whatever it is by now.
func changeTenant(t *testing.T, name string, change func(*v1alpha1.ChatTenant)) {
	t.Helper()
	if err := live.changeTenant(t.Context(), name, change); err != nil {
		t.Fatalf("change tenant %s: %v", name, err)
	}
}

func (c *cluster) changeTenant(ctx context.Context, name string, change func(*v1alpha1.ChatTenant)) error {
	tenant := &v1alpha1.ChatTenant{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return err
	}
	before := tenant.DeepCopy()
	change(tenant)
	return c.Patch(ctx, tenant, client.MergeFrom(before))
}

// confirmDeletion writes the tenant's name on it, without which it cannot be deleted.
func confirmDeletion(tenant *v1alpha1.ChatTenant) {
	metav1.SetMetaDataAnnotation(&tenant.ObjectMeta, v1alpha1.AnnotationConfirmDeletion, tenant.Name)
}
