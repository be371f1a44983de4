// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// takeOver makes the operator the owner of every field of the body that someone else set. The apply that follows then
// removes what the intent does not hold: server-side apply alone would leave, say, a container that was added by
// hand.
func (a *Applier) takeOver(ctx context.Context, live *unstructured.Unstructured) error {
	entries, err := absorb(live.GetManagedFields(), live.GetAPIVersion())
	if err != nil {
		return fmt.Errorf("rewrite field ownership: %w", err)
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
	if err != nil {
		return fmt.Errorf("serialise patch: %w", err)
	}
	raw := client.RawPatch(types.JSONPatchType, patch)
	if err := a.Writer.Patch(ctx, live, raw, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("patch field ownership: %w", err)
	}
	writes.WithLabelValues(live.GetKind(), "takeover").Inc()
	return nil
}

// absorb moves the fields of every foreign owner of the body into the operator's own entry.
func absorb(entries []metav1.ManagedFieldsEntry, apiVersion string) ([]metav1.ManagedFieldsEntry, error) {
	own := metav1.ManagedFieldsEntry{
		Manager: FieldManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, FieldsType: "FieldsV1",
	}
	fields, kept := fieldpath.NewSet(), []metav1.ManagedFieldsEntry{}
	for _, e := range entries {
		if !ours(e) && !takesFrom(e) {
			kept = append(kept, e)
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
			return nil, fmt.Errorf("parse fields of %s: %w", e.Manager, err)
		}
		if ours(e) {
			own.Time = e.Time
		}
		fields = fields.Union(set)
	}
	raw, err := fields.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("serialise fields: %w", err)
	}
	own.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return append(kept, own), nil
}
