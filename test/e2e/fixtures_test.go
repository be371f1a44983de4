// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// emptyRegionLabel is on no node until a test puts it there.
const emptyRegionLabel = "node-restriction.kubernetes.io/e2e-region"

// makeClass makes a class like the demo's, with one chat server and an issuer of its own.
func makeClass(t *testing.T, name, issuer string) {
	t.Helper()
	standard := &v1alpha1.ChatTenantClass{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: demoClass}, standard); err != nil {
		t.Fatal(err)
	}
	class := &v1alpha1.ChatTenantClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *standard.Spec.DeepCopy()}
	class.Spec.IssuerRef.Name = issuer
	class.Spec.ChatServer.Replicas = 1
	temporarily(t, class)
}

// makeRegion makes a region on eu-central's disks.
func makeRegion(t *testing.T, name, label string, value v1alpha1.LabelValue) {
	t.Helper()
	makeRegionIn(t, name, "DE", label, value)
}

// makeRegionIn makes one that is said to lie in another country.
func makeRegionIn(t *testing.T, name string, country v1alpha1.Jurisdiction, label string, value v1alpha1.LabelValue) {
	t.Helper()
	temporarily(t, &v1alpha1.DataRegion{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{v1alpha1.AnnotationConfirmDeletion: name},
		},
		Spec: v1alpha1.DataRegionSpec{
			DisplayName: "End-to-end test", Jurisdiction: country, StorageClassName: "local-eu-central",
			NodeSelector: map[string]v1alpha1.LabelValue{label: value},
		},
	})
}

// labelNode takes one of eu-central's nodes into another region as well.
func labelNode(t *testing.T, label, value string) {
	t.Helper()
	node := &corev1.Node{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: nodesIn(t, "eu-central")[0]}, node); err != nil {
		t.Fatal(err)
	}
	labelled := node.DeepCopy()
	labelled.Labels[label] = value
	if err := live.Patch(t.Context(), labelled, client.MergeFrom(node)); err != nil {
		t.Fatalf("label node %s: %v", node.Name, err)
	}
	t.Cleanup(func() {
		restored := labelled.DeepCopy()
		delete(restored.Labels, label)
		if err := live.Patch(context.Background(), restored, client.MergeFrom(labelled)); err != nil {
			t.Errorf("take label off node %s: %v", node.Name, err)
		}
	})
}

// squat makes a namespace under the tenant's name, with something in it.
func squat(t *testing.T, tenant *v1alpha1.ChatTenant) {
	t.Helper()
	namespace := naming.Namespace(tenant.Name)
	temporarily(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	temporarily(t, &corev1.ConfigMap{ObjectMeta: object(namespace, "mine")})
}

// leave removes a squatter's namespace, after a look at whether the operator has left it untouched.
func leave(t *testing.T, namespace string) {
	t.Helper()
	err := live.holdsOnly(t.Context(), namespace, map[string]bool{
		"ConfigMap/" + ownPrefix + "mine": true, "ConfigMap/kube-root-ca.crt": true, "ServiceAccount/default": true,
	})
	if err != nil {
		t.Errorf("the namespace was not left untouched: %v", err)
	}
	found := &corev1.Namespace{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: namespace}, found); err != nil {
		t.Fatal(err)
	}
	if len(found.Labels) > 2 || len(found.Annotations) > 0 {
		t.Errorf("somebody wrote on the namespace: %v %v", found.Labels, found.Annotations)
	}
	if err := live.Delete(t.Context(), found); err != nil {
		t.Fatalf("remove namespace %s: %v", namespace, err)
	}
}

// makeIssuer makes an issuer that signs with the authority in a Secret, once there is one.
func makeIssuer(t *testing.T, name, authority string) {
	t.Helper()
	temporarily(t, &cmv1.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{CA: &cmv1.CAIssuer{SecretName: authority}}},
	})
}

// giveIssuerItsKey puts a copy of the demo's authority where the issuer looks for its own.
func giveIssuerItsKey(t *testing.T, issuer string) {
	t.Helper()
	found := &cmv1.ClusterIssuer{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: issuer}, found); err != nil {
		t.Fatal(err)
	}
	original := secret(t, issuersNamespace, demoAuthoritySecret)
	temporarily(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: issuersNamespace, Name: found.Spec.CA.SecretName},
		Type:       original.Type, Data: original.Data,
	})
}
