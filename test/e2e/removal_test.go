// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// removeTenant deletes a tenant with all its data, whatever state it is in, and waits until nothing is left of it.
func (c *cluster) removeTenant(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	tenant := &v1alpha1.ChatTenant{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return ignoreNotFound(err)
	}
	if err := c.dismissTenant(ctx, name); err != nil {
		return err
	}
	return poll(ctx, func(ctx context.Context) error {
		return errors.Join(c.gone(ctx, &v1alpha1.ChatTenant{}, name), c.namespaceReleased(ctx, name, tenant.UID))
	})
}

// dismissTenant has a tenant deleted with all its data, and does not wait for it.
func (c *cluster) dismissTenant(ctx context.Context, name string) error {
	err := c.changeTenant(ctx, name, func(tenant *v1alpha1.ChatTenant) {
		confirmDeletion(tenant)
		tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		tenant.Spec.Reconciliation = v1alpha1.ReconciliationActive
	})
	if err != nil {
		return ignoreNotFound(err)
	}
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return ignoreNotFound(c.Delete(ctx, tenant))
}

// gone says that an object without a namespace no longer exists.
func (c *cluster) gone(ctx context.Context, object client.Object, name string) error {
	err := c.Get(ctx, client.ObjectKey{Name: name}, object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%T %s still exists, finalizers %v", object, name, object.GetFinalizers())
}

// namespaceReleased says that the namespace that was made for a tenant is gone. One that is not its own stays.
func (c *cluster) namespaceReleased(ctx context.Context, tenant string, uid types.UID) error {
	namespace := &corev1.Namespace{}
	err := c.Get(ctx, client.ObjectKey{Name: naming.Namespace(tenant)}, namespace)
	if err != nil || namespace.Annotations[v1alpha1.AnnotationTenantUID] != string(uid) {
		return ignoreNotFound(err)
	}
	return fmt.Errorf("namespace %s still exists", namespace.Name)
}

// removeRetained deletes the namespaces of tenants that were deleted under deletionPolicy Retain.
func (c *cluster) removeRetained(ctx context.Context) error {
	namespaces := &corev1.NamespaceList{}
	if err := c.List(ctx, namespaces, client.HasLabels{v1alpha1.LabelTenant}); err != nil {
		return fmt.Errorf("list tenants' namespaces: %w", err)
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		if !strings.HasPrefix(namespace.Labels[v1alpha1.LabelTenant], ownPrefix) {
			continue
		}
		if err := c.removeNamespace(ctx, namespace.Name); err != nil {
			return fmt.Errorf("remove namespace %s: %w", namespace.Name, err)
		}
	}
	return nil
}

// removeNamespace deletes a namespace, with the confirmation that a retained one asks for, and waits until it is gone.
func (c *cluster) removeNamespace(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, removalPatience)
	defer cancel()
	namespace := &corev1.Namespace{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		return ignoreNotFound(err)
	}
	before := namespace.DeepCopy()
	metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, v1alpha1.AnnotationConfirmDeletion, name)
	if err := c.Patch(ctx, namespace, client.MergeFrom(before)); err != nil {
		return ignoreNotFound(err)
	}
	if err := c.Delete(ctx, namespace); err != nil {
		return ignoreNotFound(err)
	}
	return poll(ctx, func(ctx context.Context) error { return c.gone(ctx, &corev1.Namespace{}, name) })
}
