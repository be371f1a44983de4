// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/naming"
)

// inventoryKinds is everything that could be left in a tenant's namespace: what the operator writes, and what others
// make of it.
var inventoryKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "LimitRange"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Version: "v1", Kind: "Pod"}, {Version: "v1", Kind: "ResourceQuota"}, {Version: "v1", Kind: "Secret"},
	{Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ServiceAccount"},
	{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"},
	{Group: "cert-manager.io", Version: "v1", Kind: "Issuer"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
}

// inventory lists what is in a namespace.
func inventory(t *testing.T, c client.Client, namespace string) []client.Object {
	t.Helper()
	var found []client.Object
	for _, gvk := range inventoryKinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := c.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	return found
}

// dump writes down the tenant, its namespace and all that is in it, without what differs between two clean runs: UIDs,
// versions, times, addresses and key material. Who owns which field stays: the operator decides by it.
func dump(t *testing.T, c client.Client, tenant string) string {
	t.Helper()
	objects := []client.Object{}
	for _, o := range []*unstructured.Unstructured{
		unstructuredObject("chattenant.io/v1alpha1", "ChatTenant", tenant),
		unstructuredObject("v1", "Namespace", naming.Namespace(tenant)),
	} {
		err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o)
		if err == nil {
			objects = append(objects, o)
		} else if !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	objects = append(objects, inventory(t, c, naming.Namespace(tenant))...)
	varying := map[string]string{}
	for _, o := range objects {
		if u, ok := o.(*unstructured.Unstructured); ok {
			normalise(u, varying)
		}
	}
	text, err := yaml.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	return replaceAll(string(text), varying)
}

// replaceAll takes longer texts first: an address can begin with another.
func replaceAll(text string, names map[string]string) string {
	byLength := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	var pairs []string
	for _, found := range byLength {
		pairs = append(pairs, found, names[found])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func unstructuredObject(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	return o
}

// normalise takes out what is never the same, and notes what others may repeat of it, with what to put there.
func normalise(o *unstructured.Unstructured, varying map[string]string) {
	name := o.GetKind() + "/" + o.GetName()
	if o.GetKind() != "ChatTenant" {
		varying[string(o.GetUID())] = "uid-of-" + name
		// How often an object changed on its way depends on what was done again.
		unstructured.RemoveNestedField(o.Object, "metadata", "generation")
		unstructured.RemoveNestedField(o.Object, "status", "observedGeneration")
	}
	if ip, found, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); found {
		varying[ip] = "address-of-" + name
	}
	o.SetUID("")
	o.SetResourceVersion("")
	unstructured.RemoveNestedField(o.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(o.Object, "metadata", "deletionTimestamp")
	if _, found := o.Object["data"]; found && o.GetKind() == "Secret" {
		o.Object["data"] = "present"
	}
	managers := o.GetManagedFields()
	for i := range managers {
		managers[i].Time = nil
	}
	slices.SortFunc(managers, func(a, b metav1.ManagedFieldsEntry) int {
		return strings.Compare(a.Manager+a.Subresource+string(a.Operation), b.Manager+b.Subresource+string(b.Operation))
	})
	o.SetManagedFields(managers)
	removeTimes(o.Object)
}

// removeTimes takes times of transitions away, wherever they are.
func removeTimes(at any) {
	switch at := at.(type) {
	case map[string]any:
		for key, value := range at {
			if strings.HasSuffix(key, "Time") || strings.HasSuffix(key, "Timestamp") {
				delete(at, key)
				continue
			}
			removeTimes(value)
		}
	case []any:
		for _, value := range at {
			removeTimes(value)
		}
	}
}

// keys are the UIDs of a tenant's key-encryption keys, by name. A key that was made stays for ever.
func keys(t *testing.T, tenant string) map[string]string {
	t.Helper()
	list := &corev1.SecretList{}
	if err := admin.List(t.Context(), list, client.InNamespace(naming.Namespace(tenant))); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, "key-encryption-key") {
			found[list.Items[i].Name] = string(list.Items[i].UID)
		}
	}
	return found
}
