// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Create makes an object that is never changed afterwards: a Job. One that exists already is no error, because its name
// says all that is in it. It asks for fewer rights than Apply.
func (a *Applier) Create(ctx context.Context, intent Object) error {
	id := identify(intent)
	if id.gvk != jobKind || !id.inTenant() {
		return fmt.Errorf("create %s: not a Job in a tenant's namespace", id)
	}
	data, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("serialise %s: %w", id, err)
	}
	if _, err = a.create(ctx, data, id); apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// CreateNamespace makes a namespace that must not exist yet. One that does is a conflict: whoever made it, the caller
// did not know of it.
func (a *Applier) CreateNamespace(ctx context.Context, intent Object) error {
	id := identify(intent)
	if id.gvk != namespaceKind || !id.inTenant() {
		return fmt.Errorf("create %s: not a tenant's namespace", id)
	}
	data, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("serialise %s: %w", id, err)
	}
	uid, err := a.create(ctx, data, id)
	if apierrors.IsAlreadyExists(err) {
		return apierrors.NewConflict(schema.GroupResource{Resource: "namespaces"}, id.name, err)
	}
	if err != nil {
		return err
	}
	_, err = a.write(ctx, data, id, precondition{uid: uid})
	return err
}

func (a *Applier) create(ctx context.Context, data []byte, id identity) (types.UID, error) {
	body := &unstructured.Unstructured{}
	if err := body.UnmarshalJSON(data); err != nil {
		return "", fmt.Errorf("copy %s: %w", id, err)
	}
	if err := a.Writer.Create(ctx, body, client.FieldOwner(FieldManager)); err != nil {
		return "", fmt.Errorf("create %s: %w", id, err)
	}
	writes.WithLabelValues(id.gvk.Kind, "create").Inc()
	return body.GetUID(), nil
}
