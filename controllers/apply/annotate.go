// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AnnotatePod writes one annotation of exactly the pod that was seen: with its UID in the patch, another of its name is
// refused as invalid. A pod that is gone or was replaced is no error. The answer is read as metadata only.
func (a *Applier) AnnotatePod(ctx context.Context, seen *corev1.Pod, key, value string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": seen.UID, "annotations": map[string]string{key: value},
	}})
	if err != nil {
		return fmt.Errorf("serialise patch: %w", err)
	}
	pod := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: seen.Namespace, Name: seen.Name}}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	err = a.Writer.Patch(ctx, pod, client.RawPatch(types.MergePatchType, body), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("annotate Pod %s/%s: %w", seen.Namespace, seen.Name, err)
	}
	writes.WithLabelValues("Pod", "annotate").Inc()
	return nil
}
