// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// temporaryLabel marks what the tests make besides tenants, so that a run that was killed can be cleared up.
const temporaryLabel = "e2e-temporary"

// temporarily makes an object that goes when the test ends.
func temporarily(t *testing.T, o client.Object) {
	t.Helper()
	o.SetLabels(map[string]string{temporaryLabel: ""})
	if err := live.Create(t.Context(), o); err != nil {
		t.Fatalf("create %T %s: %v", o, o.GetName(), err)
	}
	removeLater(t, o)
}

// removeLater removes an object when the test ends.
func removeLater(t *testing.T, o client.Object) {
	t.Helper()
	t.Cleanup(func() {
		if err := live.Delete(context.Background(), o); ignoreNotFound(err) != nil {
			t.Errorf("remove %T %s: %v", o, o.GetName(), err)
		}
	})
}

// sweep removes what an earlier run could not remove, because it was killed.
func (c *cluster) sweep(ctx context.Context) error {
	return errors.Join(c.sweepTenants(ctx), c.removeRetained(ctx), c.sweepTemporary(ctx), c.sweepNodes(ctx))
}

func (c *cluster) sweepTenants(ctx context.Context) error {
	tenants := &v1alpha1.ChatTenantList{}
	if err := c.List(ctx, tenants); err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	var removals errgroup.Group
	for i := range tenants.Items {
		name := tenants.Items[i].Name
		if !strings.HasPrefix(name, ownPrefix) {
			continue
		}
		removals.Go(func() error {
			if err := c.removeTenant(ctx, name); err != nil {
				return fmt.Errorf("remove tenant %s: %w", name, err)
			}
			return nil
		})
	}
	return removals.Wait()
}

func (c *cluster) sweepTemporary(ctx context.Context) error {
	for _, list := range []client.ObjectList{
		&v1alpha1.ChatTenantClassList{}, &v1alpha1.DataRegionList{}, &v1alpha1.SubProcessorList{}, &cmv1.ClusterIssuerList{},
		&rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{},
		&corev1.PodList{}, &corev1.ServiceAccountList{}, &corev1.SecretList{}, &corev1.ConfigMapList{},
		&corev1.NamespaceList{},
	} {
		if err := c.List(ctx, list, client.HasLabels{temporaryLabel}); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			if object, is := o.(client.Object); is {
				return ignoreNotFound(c.Delete(ctx, object))
			}
			return fmt.Errorf("%T has no metadata", o)
		})
		if err != nil {
			return fmt.Errorf("remove what is temporary: %w", err)
		}
	}
	return nil
}

// sweepNodes takes nodes out of the region that the tests put them in.
func (c *cluster) sweepNodes(ctx context.Context) error {
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes, client.HasLabels{emptyRegionLabel}); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		before := nodes.Items[i].DeepCopy()
		delete(nodes.Items[i].Labels, emptyRegionLabel)
		if err := c.Patch(ctx, &nodes.Items[i], client.MergeFrom(before)); err != nil {
			return fmt.Errorf("take label off node %s: %w", before.Name, err)
		}
	}
	return nil
}

// sweepFolders ends the programs that an earlier run left listening in networks of pods and nodes, and removes them.
// Nobody else's run is under way, see [acquire].
func sweepFolders() error {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), ownFolders+"*[0-9]"))
	if err != nil {
		return fmt.Errorf("find what an earlier run left: %w", err)
	}
	for _, folder := range folders {
		if err := errors.Join(podnet.EndPrograms(folder), os.RemoveAll(folder)); err != nil {
			return fmt.Errorf("remove what an earlier run left: %w", err)
		}
	}
	return nil
}
