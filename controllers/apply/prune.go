// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Keep is a set of objects that Prune leaves alone.
type Keep map[string]struct{}

// KeepIntents is the set of the objects that the intents describe.
func KeepIntents[O Object](intents []O) Keep {
	keep := Keep{}
	for _, o := range intents {
		id := identify(o)
		keep[inventoryKey(id.gvk, id.name)] = struct{}{}
	}
	return keep
}

// Prune deletes the objects in a tenant's namespace that the operator made for exactly this tenant and no longer
// wants. What another owner made, or the same tenant's predecessor left behind, is not in its inventory. It answers
// how many it deleted.
func (a *Applier) Prune(ctx context.Context, namespace string, owner types.UID, keep Keep) (int, error) {
	pruned := 0
	for _, gvk := range kindOrder[1:] {
		objects, err := a.inventory(ctx, gvk, namespace)
		if err != nil {
			return pruned, err
		}
		for _, o := range objects {
			if _, kept := keep[inventoryKey(gvk, o.GetName())]; kept || !ownedBy(o, owner) {
				continue
			}
			if err := a.Delete(ctx, o); err != nil {
				return pruned, fmt.Errorf("prune: %w", err)
			}
			pruned++
		}
	}
	return pruned, nil
}

func (a *Applier) inventory(
	ctx context.Context, gvk schema.GroupVersionKind, namespace string,
) ([]client.Object, error) {
	list, ok := kinds[gvk].list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("list %s: not a list", gvk.Kind)
	}
	if err := a.Reader.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list cached %s in %s: %w", gvk.Kind, namespace, err)
	}
	var objects []client.Object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		if o, ok := item.(client.Object); ok {
			objects = append(objects, o)
		}
		return nil
	})
	return objects, err
}

func ownedBy(o client.Object, owner types.UID) bool {
	ref := metav1.GetControllerOf(o)
	return ref != nil && ref.UID == owner && o.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy
}

func inventoryKey(gvk schema.GroupVersionKind, name string) string {
	return gvk.GroupKind().String() + "/" + name
}
