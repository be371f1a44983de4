// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// operators are those that run now: what they have heard of, and how many passes were begun over each tenant.
var operators struct {
	sync.Mutex

	caches []cache.Cache
	passes map[string]int
}

// begins notes the passes of an operator, whose first act is to look at its tenant.
type begins struct{ client.Client }

func (b begins) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, tenant := o.(*v1alpha1.ChatTenant); tenant {
		operators.Lock()
		operators.passes[key.Name]++
		operators.Unlock()
	}
	return b.Client.Get(ctx, key, o, opts...)
}

// watching counts an operator in until the function that it answers is called.
func watching(c cache.Cache) (ended func()) {
	operators.Lock()
	defer operators.Unlock()
	operators.caches = append(operators.caches, c)
	if operators.passes == nil {
		operators.passes = map[string]int{}
	}
	return func() {
		operators.Lock()
		defer operators.Unlock()
		operators.caches = slices.DeleteFunc(operators.caches, func(other cache.Cache) bool { return other == c })
	}
}

func passesOver(tenant string) int {
	operators.Lock()
	defer operators.Unlock()
	return operators.passes[tenant]
}

// wantPass waits until there were more passes over a tenant than that.
func wantPass(t *testing.T, tenant string, before int) {
	t.Helper()
	eventually(t, "a pass over "+tenant, func() string {
		if passesOver(tenant) == before {
			return "there was none"
		}
		return ""
	})
}

// heard waits until the operators have heard of an object as it is.
func heard(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, "the operators to hear of "+o.GetName(), func() string { return unheard(t, o) })
}

func unheard(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := apiutil.GVKForObject(o, scheme)
	if err != nil {
		t.Fatal(err)
	}
	operators.Lock()
	caches := slices.Clone(operators.caches)
	operators.Unlock()
	for _, c := range caches {
		empty, err := scheme.New(gvk)
		if err != nil {
			t.Fatal(err)
		}
		known, ok := empty.(client.Object)
		if !ok {
			t.Fatalf("%v is no object", gvk)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), known); err != nil {
			return fmt.Sprintf("%s %s: %v", gvk.Kind, o.GetName(), err)
		}
		if version(known.GetResourceVersion()) < version(o.GetResourceVersion()) {
			return fmt.Sprintf("%s %s: only of an earlier one", gvk.Kind, o.GetName())
		}
	}
	return ""
}

// unheardOf names something of a tenant that the operators have not heard of yet, empty if there is nothing.
func unheardOf(t *testing.T, tenant string) string {
	t.Helper()
	if problem := unheard(t, liveTenant(t, tenant)); problem != "" {
		return problem
	}
	for _, kind := range append(apply.Kinds(), &corev1.Pod{}, &corev1.PersistentVolumeClaim{}, &batchv1.Job{}) {
		for _, o := range managedBy(t, tenant, kind) {
			if problem := unheard(t, o); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// managedBy lists what the operator manages of a kind in a tenant's namespace.
func managedBy(t *testing.T, tenant string, kind client.Object) (found []client.Object) {
	t.Helper()
	if _, namespace := kind.(*corev1.Namespace); namespace {
		return nil
	}
	gvk, err := apiutil.GVKForObject(kind, scheme)
	if err != nil {
		t.Fatal(err)
	}
	list := listOf(t, gvk)
	err = admin.List(t.Context(), list, client.InNamespace(naming.Namespace(tenant)),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	if err != nil {
		t.Fatal(err)
	}
	err = meta.EachListItem(list, func(item runtime.Object) error {
		if o, ok := item.(client.Object); ok {
			found = append(found, o)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func listOf(t *testing.T, gvk schema.GroupVersionKind) client.ObjectList {
	t.Helper()
	empty, err := scheme.New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		t.Fatal(err)
	}
	list, ok := empty.(client.ObjectList)
	if !ok {
		t.Fatalf("%T is no list", empty)
	}
	return list
}
