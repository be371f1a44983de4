// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// annotationDigest is an annotation of cached objects only: Strip sets it, it is never sent. One that an object brings
// along is somebody's forgery and is taken off.
const annotationDigest = "cache.chattenant.io/digest"

// stripped marks what Strip has seen before. No API server gives out an entry with this operation, while anybody who
// may write an object can empty its record of ownership.
const stripped metav1.ManagedFieldsOperationType = "Stripped"

// Strip is the cache's transform for managed kinds. It replaces an object's body by the digest of what the operator
// owns of it, and keeps metadata, status and the few observed fields that phases read.
func Strip(in any) (any, error) {
	o, ok := in.(client.Object)
	if !ok {
		return in, nil
	}
	kind, ok := kindByType(o)
	if !ok || isStripped(o) {
		return in, nil
	}
	disown(o)
	intent, err := kind.extract(o)
	if err != nil {
		return nil, fmt.Errorf("extract %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	data, err := json.Marshal(intent)
	if err != nil {
		return nil, fmt.Errorf("serialise %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	if entries := o.GetManagedFields(); len(entries) > 0 && !foreign(entries) {
		annotate(o, digest(data))
	}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Operation: stripped}})
	kind.strip(o)
	return o, nil
}

func isStripped(o client.Object) bool {
	entries := o.GetManagedFields()
	return len(entries) == 1 && entries[0].Operation == stripped
}

// disown takes a digest off that did not come from here.
func disown(o client.Object) {
	annotations := o.GetAnnotations()
	delete(annotations, annotationDigest)
	o.SetAnnotations(annotations)
}

// annotate records the digest. An object of which someone else owns a part gets none: it never carries an intent.
func annotate(o client.Object, sum string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationDigest] = sum
	o.SetAnnotations(annotations)
}

// Digest is the digest of the intent that a cached object carries, empty where it carries none.
func Digest(cached client.Object) string { return cached.GetAnnotations()[annotationDigest] }

// foreign says whether anyone but the operator owns a field of the object's body, or an owner reference: that hands
// the object to the garbage collector. Others may own other metadata (a revision annotation, a finalizer) and
// subresources (status, scale).
func foreign(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, takesFrom)
}

// takesFrom says whether an entry must be taken over. What the operator itself wrote by other means than by applying,
// as when it created the object, would stay when the intent drops it.
func takesFrom(e metav1.ManagedFieldsEntry) bool {
	if ours(e) || e.Subresource != "" || e.FieldsV1 == nil {
		return false
	}
	return e.Manager == FieldManager || ownsBody(e.FieldsV1)
}

func ours(e metav1.ManagedFieldsEntry) bool {
	return e.Manager == FieldManager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
}

func ownsBody(fields *metav1.FieldsV1) bool {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(fields.GetRawBytes(), &top); err != nil {
		return true
	}
	for key, fields := range top {
		switch key {
		case "f:status":
		case "f:metadata":
			if ownsOwners(fields) {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func ownsOwners(metadata json.RawMessage) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(metadata, &fields); err != nil {
		return true
	}
	_, found := fields["f:ownerReferences"]
	return found
}

func digest(intent []byte) string {
	sum := sha256.Sum256(intent)
	return hex.EncodeToString(sum[:])
}
