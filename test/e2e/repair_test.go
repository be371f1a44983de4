// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// repairPatience is how long a repair may take. It takes a second unless something before it failed, which is retried
// ever more slowly, or the machine is busy.
const repairPatience = time.Minute

func TestAHandEditOrDeletionOfAManagedObjectIsRefused(t *testing.T) {
	withNeighbour(t)
	for _, o := range managed(t, neighbour) {
		policy := policyObjects
		if o.GetKind() == "Namespace" {
			policy = policyNamespaces
		}
		t.Run(title(o), func(t *testing.T) {
			refusedBy(t, policy, editByHand(t.Context(), o, edits[o.GetKind()], client.DryRunAll))
			refusedBy(t, policy, live.Delete(t.Context(), o, client.DryRunAll))
		})
	}
}

func TestWithoutAdmissionAHandEditOrDeletionOfAManagedObjectIsRepaired(t *testing.T) {
	withNeighbour(t)
	said := converse(t, neighbour, "before the repairs")
	suspendPolicies(t, policyObjects, policyNamespaces)
	objects := managed(t, neighbour)
	for _, o := range objects {
		t.Run(title(o)+" edited", func(t *testing.T) { repaired(t, o, edits[o.GetKind()]) })
	}
	for _, o := range objects {
		if o.GetKind() != "Namespace" {
			t.Run(title(o)+" disowned", func(t *testing.T) { repaired(t, o, disown) })
		}
	}
	for _, o := range objects {
		if o.GetKind() != "Namespace" {
			t.Run(title(o)+" deleted", func(t *testing.T) { madeAnew(t, o) })
		}
	}
	awaitReady(t, neighbour)
	awaitSettled(t, neighbour, naming.ChatServer)
	t.Run("and the conversation is still there", said.stillThere)
}

// managed lists every object that the operator manages for a tenant, the namespace first, with the kinds filled in.
func managed(t *testing.T, tenant string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for _, kind := range apply.Kinds() {
		gvk, err := apiutil.GVKForObject(kind, live.Scheme())
		if err != nil {
			t.Fatal(err)
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		ours := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelTenant: tenant}
		if err := live.List(t.Context(), list, ours); err != nil {
			t.Fatalf("list %s: %v", gvk.Kind, err)
		}
		if len(list.Items) == 0 {
			t.Errorf("tenant %s has no %s, though the operator manages that kind", tenant, gvk.Kind)
		}
		if edits[gvk.Kind] == nil {
			t.Errorf("there is no edit for %s", gvk.Kind)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return objects
}

func title(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }

// editByHand changes an object as kubectl edit does.
func editByHand(
	ctx context.Context, o *unstructured.Unstructured, edit func(map[string]any), options ...client.PatchOption,
) error {
	changed := o.DeepCopy()
	edit(changed.Object)
	return live.Patch(ctx, changed, client.MergeFrom(o), append(options, client.FieldOwner("kubectl-edit"))...)
}

// repaired edits an object and waits until it says again what it said.
func repaired(t *testing.T, o *unstructured.Unstructured, edit func(map[string]any)) {
	t.Helper()
	before := fresh(t, o)
	if err := editByHand(t.Context(), before, edit); err != nil {
		t.Fatalf("edit by hand: %v", err)
	}
	eventually(t, repairPatience, "repaired", func(ctx context.Context) error { return saysAgain(ctx, before, "") })
}

// madeAnew deletes an object and waits until there is another that says the same.
func madeAnew(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	before := fresh(t, o)
	if err := live.Delete(t.Context(), before.DeepCopy()); err != nil {
		t.Fatalf("delete by hand: %v", err)
	}
	eventually(t, repairPatience, "made anew", func(ctx context.Context) error {
		return saysAgain(ctx, before, before.GetUID())
	})
	if address, _, _ := unstructured.NestedString(before.Object, "spec", "clusterIP"); address != "" {
		awaitForgotten(t, o.GetLabels()[v1alpha1.LabelTenant], address)
	}
}

// awaitForgotten waits until none of the tenant's objects has an address that a Service had: its new one goes into the
// pods' hosts file, so other objects change too before all is as it was.
func awaitForgotten(t *testing.T, tenant, address string) {
	t.Helper()
	eventually(t, repairPatience, "nobody remembers "+address, func(context.Context) error {
		for _, o := range managed(t, tenant) {
			if text, err := json.Marshal(essence(o)); err != nil || strings.Contains(string(text), `"`+address+`"`) {
				return errors.Join(err, fmt.Errorf("%s does", title(o)))
			}
		}
		return nil
	})
	awaitReady(t, tenant)
}

func fresh(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	now := o.DeepCopy()
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
		t.Fatalf("read %s: %v", title(o), err)
	}
	return now
}

// saysAgain compares an object with what it was; unlike names the UID it must no longer have.
func saysAgain(ctx context.Context, before *unstructured.Unstructured, unlike types.UID) error {
	now := before.DeepCopy()
	if err := live.Get(ctx, client.ObjectKeyFromObject(before), now); err != nil {
		return err
	}
	if now.GetUID() == unlike {
		return errors.New("it is still the old one")
	}
	if diff := gocmp.Diff(essence(before), essence(now)); diff != "" {
		return fmt.Errorf("(-before +now):\n%s", diff)
	}
	return nil
}
