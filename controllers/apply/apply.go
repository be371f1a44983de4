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
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
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
	body := &unstructured.Unstructured{}
	if err := body.UnmarshalJSON(data); err != nil {
		return fmt.Errorf("copy %s: %w", id, err)
	}
	if err := a.Writer.Create(ctx, body, client.FieldOwner(FieldManager)); err != nil {
		if apierrors.IsAlreadyExists(err) {
			err = apierrors.NewConflict(schema.GroupResource{Resource: "namespaces"}, id.name, err)
		}
		return fmt.Errorf("create %s: %w", id, err)
	}
	writes.WithLabelValues(id.gvk.Kind, "create").Inc()
	_, err = a.write(ctx, data, id, precondition{uid: body.GetUID()})
	return err
}

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
	body := &unstructured.Unstructured{}
	if err := body.UnmarshalJSON(data); err != nil {
		return fmt.Errorf("copy %s: %w", id, err)
	}
	if err := a.Writer.Create(ctx, body, client.FieldOwner(FieldManager)); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return fmt.Errorf("create %s: %w", id, err)
	}
	writes.WithLabelValues(id.gvk.Kind, "create").Inc()
	return nil
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

// namespaceKind is the only cluster-scoped one, jobKind the only one that is created and never applied.
var (
	namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")
	jobKind       = batchv1.SchemeGroupVersion.WithKind("Job")
)

type identity struct {
	gvk             schema.GroupVersionKind
	namespace, name string
}

func identify(o Object) identity {
	return identity{
		gvk:       schema.FromAPIVersionAndKind(ptr.Deref(o.GetAPIVersion(), ""), ptr.Deref(o.GetKind(), "")),
		namespace: ptr.Deref(o.GetNamespace(), ""),
		name:      ptr.Deref(o.GetName(), ""),
	}
}

// inTenant says whether the object is a tenant's namespace or in one: nothing else in the cluster is written.
func (i identity) inTenant() bool {
	place := i.namespace
	if i.gvk == namespaceKind {
		if place != "" {
			return false
		}
		place = i.name
	}
	_, ok := naming.TenantOf(place)
	return ok
}

func (i identity) key() client.ObjectKey {
	return client.ObjectKey{Namespace: i.namespace, Name: i.name}
}

func (i identity) String() string {
	if i.namespace == "" {
		return i.gvk.Kind + " " + i.name
	}
	return i.gvk.Kind + " " + i.namespace + "/" + i.name
}
