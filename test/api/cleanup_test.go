// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// remove deletes an object after a test, whose own context has ended by then. It confirms what asks for confirmation.
func remove(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := adminClient(t)
	if o.GroupVersionKind().Group == v1alpha1.GroupVersion.Group {
		patch := `{"metadata":{"annotations":{"` + v1alpha1.AnnotationConfirmDeletion + `":"` + o.GetName() + `"}}}`
		err := c.Patch(ctx, o, client.RawPatch("application/merge-patch+json", []byte(patch)))
		if client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	if err := c.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	if o.GetKind() != "ChatTenant" {
		return
	}
	if err := tenantForgotten(ctx, o); err != nil {
		t.Errorf("admission does not forget ChatTenant %s: %v", o.GetName(), err)
	}
}
