// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// precondition bounds an apply to the object that was seen: what bears its name now may be another's. Zero is none.
type precondition struct {
	uid     types.UID
	version string
}

// seenBefore is that of a cached object. A namespace must be exactly as it was seen: that it is retained, or whose it
// is, may have changed.
func seenBefore(id identity, cached client.Object) precondition {
	seen := precondition{uid: cached.GetUID()}
	if id.gvk == namespaceKind {
		seen.version = cached.GetResourceVersion()
	}
	return seen
}

// replaced turns the API server's word for an object of another UID, that its UID is invalid, into a conflict.
func replaced(id identity, err error) error {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return err
	}
	isUID := func(cause metav1.StatusCause) bool { return cause.Field == "metadata.uid" }
	if !slices.ContainsFunc(status.Status().Details.Causes, isUID) {
		return err
	}
	return apierrors.NewConflict(schema.GroupResource{Group: id.gvk.Group, Resource: id.gvk.Kind}, id.name, err)
}
