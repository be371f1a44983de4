// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

const keySecret = "key-encryption-key"

func TestARetainedTenantKeepsItsDataForWhoTakesItUpAgain(t *testing.T) {
	t.Parallel()
	tenant := newTenant("retained")
	tenant.Spec.DeletionPolicy = v1alpha1.DeletionRetain
	// Cleanups run backwards: the namespace stays behind whatever this test's tenants leave it as.
	t.Cleanup(func() {
		if err := live.removeNamespace(context.Background(), naming.Namespace(tenant.Name)); err != nil {
			t.Errorf("remove what was retained: %v", err)
		}
	})
	createReady(t, tenant)
	said := converse(t, tenant.Name, "Will you remember me")
	kept := whatStays(t, tenant.Name)
	orderDeletion(t, tenant.Name)

	t.Run("volume, key and record stay and nothing else", func(t *testing.T) { onlyDataStays(t, tenant, kept) })
	t.Run("nobody may touch it any more", func(t *testing.T) { operatorHasLeft(t, tenant.Name) })
	t.Run("its host is closed", func(t *testing.T) { hostClosed(t, tenant.Spec.Endpoint.Host) })
	t.Run("a new tenant of that name does not get it", func(t *testing.T) {
		stranger := create(t, again(tenant, ""))
		c := awaitCondition(
			t, stranger.Name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceRetained)
		if !containsAll(c.Message, string(tenant.UID), "adoptUID") {
			t.Errorf("the message does not say what to do: %s", c.Message)
		}
		onlyDataStays(t, tenant, kept)
	})
	t.Run("one that names the record does", func(t *testing.T) {
		createReady(t, again(tenant, string(tenant.UID)))
		said.stillThere(t)
		if now := whatStays(t, tenant.Name); now != kept {
			t.Errorf("data was %v and is %v", kept, now)
		}
	})
}

func TestADeletedTenantLeavesNothingInTheCluster(t *testing.T) {
	t.Parallel()
	disk := record(t, sectionBenchmarks, "MTB-1199: volumes are reclaimed by deletion, on the disk")
	tenant := createReady(t, newTenant("deleted"))
	converse(t, tenant.Name, "Will you forget me")
	left := whatStays(t, tenant.Name)
	written := leaveTrace(t, left.volume)
	disk.opened("")
	orderDeletion(t, tenant.Name)
	eventually(t, removalPatience, "namespace and volume are gone", func(ctx context.Context) error {
		if err := live.gone(ctx, &corev1.Namespace{}, naming.Namespace(tenant.Name)); err != nil {
			return err
		}
		return live.gone(ctx, &corev1.PersistentVolume{}, left.volume)
	})
	// The next tenant gets one of these volumes.
	if files := written.files(t); files != "" {
		t.Errorf("what was in the tenant's volume is still in %s", files)
		disk.otherwise("")
	}
	disk.refused("no volume of the node has what was in the tenant's")
	hostClosed(t, tenant.Spec.Endpoint.Host)
	nothingNamed(t, tenant.Name)
}

// orderDeletion deletes a tenant as its owner does, and waits until it is gone.
func orderDeletion(t *testing.T, name string) {
	t.Helper()
	changeTenant(t, name, confirmDeletion)
	if err := live.Delete(t.Context(), getTenant(t, name)); err != nil {
		t.Fatalf("delete tenant %s: %v", name, err)
	}
	eventually(t, removalPatience, "tenant "+name+" is gone", func(ctx context.Context) error {
		return live.gone(ctx, &v1alpha1.ChatTenant{}, name)
	})
}

// again is the same declaration made anew.
func again(tenant *v1alpha1.ChatTenant, adopt string) *v1alpha1.ChatTenant {
	anew := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: tenant.Name}, Spec: *tenant.Spec.DeepCopy()}
	anew.Spec.AdoptUID = adopt
	return anew
}

// data is what must outlive a retained tenant: the claim with its volume, and the key without which it is noise.
type data struct {
	claim, key, volume string
}

func whatStays(t *testing.T, tenant string) data {
	t.Helper()
	claims := &corev1.PersistentVolumeClaimList{}
	if err := live.List(t.Context(), claims, client.InNamespace(naming.Namespace(tenant))); err != nil {
		t.Fatal(err)
	}
	if len(claims.Items) != 1 {
		t.Fatalf("want one claim in %s, got %d", naming.Namespace(tenant), len(claims.Items))
	}
	return data{
		claim:  string(claims.Items[0].UID),
		key:    string(secret(t, naming.Namespace(tenant), keySecret).UID),
		volume: claims.Items[0].Spec.VolumeName,
	}
}

// onlyDataStays fails the test if the namespace lacks the data or holds more than it and what Kubernetes itself puts
// into every namespace.
func onlyDataStays(t *testing.T, tenant *v1alpha1.ChatTenant, want data) {
	t.Helper()
	namespace := naming.Namespace(tenant.Name)
	if got := whatStays(t, tenant.Name); got != want {
		t.Errorf("data was %v and is %v", want, got)
	}
	found := &corev1.Namespace{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: namespace}, found); err != nil {
		t.Fatal(err)
	}
	if found.Labels[v1alpha1.LabelState] != v1alpha1.StateRetained ||
		found.Annotations[v1alpha1.AnnotationTenantUID] != string(tenant.UID) {
		t.Errorf("the record is not there: %v %v", found.Labels, found.Annotations)
	}
	eventually(t, patience, "nothing else is left in "+namespace, func(ctx context.Context) error {
		return live.holdsOnly(ctx, namespace, map[string]bool{
			"PersistentVolumeClaim/data-postgres-0": true, "Secret/" + keySecret: true,
			"ServiceAccount/default": true, "ConfigMap/kube-root-ca.crt": true,
		})
	})
}

// operatorHasLeft asks whether the operator still has rights in the namespace.
func operatorHasLeft(t *testing.T, tenant string) {
	t.Helper()
	namespace := naming.Namespace(tenant)
	bindings := &rbacv1.RoleBindingList{}
	if err := live.List(t.Context(), bindings, client.InNamespace(namespace)); err != nil || len(bindings.Items) > 0 {
		t.Errorf("rights are still given in %s: %v, %v", namespace, bindings.Items, err)
	}
	// The API server learns through a watch that a right was taken away.
	eventually(t, patience, "the operator has no rights in "+namespace, func(context.Context) error {
		for _, resource := range []string{"secrets", "configmaps", "persistentvolumeclaims"} {
			for _, verb := range []string{"create", "delete"} {
				if may(t, operatorUser, verb, "", resource, namespace) {
					return fmt.Errorf("it may %s %s", verb, resource)
				}
			}
		}
		return nil
	})
}

// hostClosed waits until nobody answers for a host at the gateway.
func hostClosed(t *testing.T, host string) {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: demoAuthority(t)}
	eventually(t, patience, host+" is closed", func(context.Context) error {
		if err := handshake(t, config, host); err == nil {
			return errStillServed
		}
		return nil
	})
}

// nothingNamed looks through everything outside of namespaces for something that is still the tenant's.
func nothingNamed(t *testing.T, tenant string) {
	t.Helper()
	all, err := live.everything(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.Labels[v1alpha1.LabelTenant] == tenant || o.Name == naming.Namespace(tenant) || o.Name == tenant {
			t.Errorf("left behind: %s %s", o.Kind, o.Name)
		}
	}
	t.Logf("looked through %d objects", len(all))
}
