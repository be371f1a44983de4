// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// namespaceKind is the only cluster-scoped one, jobKind the only one that is created and never applied.
var (
	namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")
	jobKind       = batchv1.SchemeGroupVersion.WithKind("Job")
)

type identity struct {
	gvk             schema.GroupVersionKind
	namespace, name string
}

func identify(o Object) identity {
	return identity{
		gvk:       schema.FromAPIVersionAndKind(ptr.Deref(o.GetAPIVersion(), ""), ptr.Deref(o.GetKind(), "")),
		namespace: ptr.Deref(o.GetNamespace(), ""),
		name:      ptr.Deref(o.GetName(), ""),
	}
}

// inTenant says whether the object is a tenant's namespace or in one: nothing else in the cluster is written.
func (i identity) inTenant() bool {
	place := i.namespace
	if i.gvk == namespaceKind {
		if place != "" {
			return false
		}
		place = i.name
	}
	_, ok := naming.TenantOf(place)
	return ok
}

func (i identity) key() client.ObjectKey {
	return client.ObjectKey{Namespace: i.namespace, Name: i.name}
}

func (i identity) String() string {
	if i.namespace == "" {
		return i.gvk.Kind + " " + i.name
	}
	return i.gvk.Kind + " " + i.namespace + "/" + i.name
}
