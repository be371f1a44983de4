// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"strings"
	"testing"

	batchv1ac "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	storagev1ac "k8s.io/client-go/applyconfigurations/storage/v1"
)

// TestNothingIsWrittenOutsideOfTenantsNamespaces: whatever a builder makes, no cluster-scoped object but a tenant's
// namespace, and nothing in a namespace of anybody else. The Applier has no client, so a request would be a panic.
func TestNothingIsWrittenOutsideOfTenantsNamespaces(t *testing.T) {
	applier := &Applier{}
	apply := func(o Object) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := applier.Apply(ctx, o)
			return err
		}
	}
	for name, tc := range map[string]struct {
		write func(context.Context) error
		says  string
	}{
		"a cluster role":         {apply(rbacv1ac.ClusterRole("all")), "not a managed kind"},
		"a cluster role binding": {apply(rbacv1ac.ClusterRoleBinding("all")), "not a managed kind"},
		"a storage class":        {apply(storagev1ac.StorageClass("all")), "not a managed kind"},
		"a node":                 {apply(corev1ac.Node("eu-1")), "not a managed kind"},
		"a volume":               {apply(corev1ac.PersistentVolume("v")), "not a managed kind"},
		"a Secret":               {apply(corev1ac.Secret("s", "chat-acme")), "not a managed kind"},
		"a role":                 {apply(rbacv1ac.Role("r", "chat-acme")), "not a managed kind"},
		"the system's namespace": {apply(corev1ac.Namespace("kube-system")), "not in a tenant's namespace"},
		"a namespace in another": {
			apply(corev1ac.Namespace("chat-a").WithNamespace("chat-b")), "not in a tenant's namespace"},
		"a binding in the system's": {apply(rbacv1ac.RoleBinding("b", "kube-system")), "not in a tenant's namespace"},
		"a ConfigMap nowhere":       {apply(corev1ac.ConfigMap("c", "")), "not in a tenant's namespace"},
		"a Job in the system's": {func(ctx context.Context) error {
			return applier.Create(ctx, batchv1ac.Job("j", "kube-system"))
		}, "not a Job in a tenant's namespace"},
		"a cluster role that is created": {func(ctx context.Context) error {
			return applier.Create(ctx, rbacv1ac.ClusterRole("all"))
		}, "not a Job in a tenant's namespace"},
		"a namespace of others that is created": {func(ctx context.Context) error {
			return applier.CreateNamespace(ctx, corev1ac.Namespace("default"))
		}, "not a tenant's namespace"},
		"a ConfigMap that is created as a namespace": {func(ctx context.Context) error {
			return applier.CreateNamespace(ctx, corev1ac.ConfigMap("c", "chat-acme"))
		}, "not a tenant's namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.write(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("want %q, got %v", tc.says, err)
			}
		})
	}
}
