// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// suspendPolicies puts admission policies out of force until the test ends. Their bindings have the policies' names.
func suspendPolicies(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if offences[name] == nil {
			t.Fatalf("nobody would notice whether policy %s is in force", name)
		}
		found := &admissionv1.ValidatingAdmissionPolicyBinding{}
		if err := live.Get(t.Context(), client.ObjectKey{Name: name}, found); err != nil {
			t.Fatalf("read binding of policy %s: %v", name, err)
		}
		if err := live.Delete(t.Context(), found); err != nil {
			t.Fatalf("suspend policy %s: %v", name, err)
		}
		t.Cleanup(func() { restorePolicy(t, found) })
	}
	// API servers learn of it through a watch, and look once a second: of two policies one may be gone a second earlier.
	for _, name := range names {
		eventually(t, patience, "policy "+name+" is out of force", offences[name])
	}
}

// offences are what policies forbid, tried without effect.
var offences = map[string]func(context.Context) error{
	policyObjects: plant, policyNamespaces: lowerGuard,
}

func restorePolicy(t *testing.T, suspended *admissionv1.ValidatingAdmissionPolicyBinding) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	restored := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: suspended.Name, Labels: suspended.Labels, Annotations: suspended.Annotations,
		},
		Spec: suspended.Spec,
	}
	// A parallel installation may have been quicker.
	if err := live.Create(ctx, restored); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Errorf("restore policy %s: %v", suspended.Name, err)
	}
	err := poll(ctx, func(ctx context.Context) error {
		if err := offences[suspended.Name](ctx); !apierrors.IsForbidden(err) {
			return errors.Join(errors.New("what it forbids is still let through"), err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("policy %s is not in force again: %v", suspended.Name, err)
	}
}

// plant tries to put a Secret into a tenant's namespace, which the policy on objects forbids.
func plant(ctx context.Context) error {
	return live.Create(ctx, &corev1.Secret{ObjectMeta: object(naming.Namespace(acme), "planted")}, client.DryRunAll)
}

// lowerGuard tries to let everything run in a tenant's namespace, which the policy on namespaces forbids.
func lowerGuard(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(acme)}}
	lower := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`)
	return live.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, lower), client.DryRunAll)
}
