// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package apply is the only writer of the objects inside tenant namespaces. It applies intents server-side, skips
// those that the cluster already carries, takes back what someone else changed, and prunes what is no longer wanted.
//
// The operator's cache does not hold the bodies of these objects. On the way into the cache, Strip replaces a body by
// the digest of the part that the operator owns: the values of exactly the fields that the API server's own record
// (managedFields) attributes to this field manager. An object carries an intent when the two digests agree, so a
// second pass over a tenant costs no request, whether or not the operator was restarted in between.
package apply

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// FieldManager is the name under which the operator owns fields.
const FieldManager = v1alpha1.ManagedBy

// Object is an intent: an apply-configuration of one of the managed kinds.
type Object interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetName() *string
	GetNamespace() *string
}

// Applier writes intents. Reader answers from the cache that Strip feeds.
type Applier struct {
	Reader client.Reader
	Writer client.Writer
}

// Apply makes the cluster carry the intent. It answers whether the object changed. Nothing is sent where the cached
// object already carries the intent.
func (a *Applier) Apply(ctx context.Context, intent Object) (bool, error) {
	id := identify(intent)
	kind, ok := kinds[id.gvk]
	if !ok {
		return false, fmt.Errorf("apply %s: not a managed kind", id)
	}
	if !id.inTenant() {
		return false, fmt.Errorf("apply %s: not in a tenant's namespace", id)
	}
	data, err := json.Marshal(intent)
	if err != nil {
		return false, fmt.Errorf("serialise %s: %w", id, err)
	}
	cached := kind.empty()
	if err := a.Reader.Get(ctx, id.key(), cached); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read cached %s: %w", id, err)
	}
	if Digest(cached) == digest(data) {
		return false, nil
	}
	version, err := a.write(ctx, data, id, seenBefore(id, cached))
	return version != cached.GetResourceVersion(), err
}

// write answers the object's new resource version. It is the old one where something between here and storage rewrites
// what is sent, say a webhook, so that the cached object never equals the intent: that costs requests, but it must
// not look like a change that never ends.
//
// Applying puts right every value the intent holds. What others added beside it is left then, and goes only once the
// operator has taken its ownership over: in this order no write in between shows admission a foreign value.
func (a *Applier) write(ctx context.Context, data []byte, id identity, seen precondition) (string, error) {
	live, err := a.send(ctx, data, id, seen)
	if err != nil {
		return "", err
	}
	if !foreign(live.GetManagedFields()) {
		return live.GetResourceVersion(), nil
	}
	if err := a.takeOver(ctx, live); err != nil {
		return "", fmt.Errorf("take back %s: %w", id, err)
	}
	if live, err = a.send(ctx, data, id, precondition{uid: live.GetUID()}); err != nil {
		return "", err
	}
	return live.GetResourceVersion(), nil
}

// send answers the object as it is then. What is sent is a copy, because the client decodes the answer into it.
func (a *Applier) send(
	ctx context.Context, data []byte, id identity, seen precondition,
) (*unstructured.Unstructured, error) {
	body := &unstructured.Unstructured{}
	if err := body.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("copy %s: %w", id, err)
	}
	body.SetUID(seen.uid)
	body.SetResourceVersion(seen.version)
	if err := a.Writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(body), client.FieldOwner(FieldManager),
		client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("apply %s: %w", id, replaced(id, err))
	}
	writes.WithLabelValues(id.gvk.Kind, "apply").Inc()
	return body, nil
}

// Delete removes exactly the object that was seen: one that was replaced in the meantime is left alone, which is a
// conflict, because the cache was behind. An object that is gone is no error.
func (a *Applier) Delete(ctx context.Context, seen client.Object) error {
	if !seen.GetDeletionTimestamp().IsZero() {
		return nil
	}
	err := a.Writer.Delete(ctx, seen, client.Preconditions{UID: ptr.To(seen.GetUID())},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s/%s: %w", seen, seen.GetNamespace(), seen.GetName(), err)
	}
	writes.WithLabelValues(kindOf(seen), "delete").Inc()
	return nil
}
