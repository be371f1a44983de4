// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var errStillServed = errors.New("somebody still answers")

// everything lists the metadata of all objects of a namespace, or of all that have none: of whatever kinds the API
// server knows, so that no kind is forgotten.
func (c *cluster) everything(
	ctx context.Context, namespace string, namespaced bool,
) ([]metav1.PartialObjectMetadata, error) {
	lists, err := c.kube.Discovery().ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("list kinds: %w", err)
	}
	var found []metav1.PartialObjectMetadata
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if resource.Namespaced != namespaced || !slices.Contains(resource.Verbs, "list") ||
				strings.HasSuffix(resource.Kind, "Event") || strings.HasSuffix(list.GroupVersion, "metrics.k8s.io") {
				continue
			}
			objects, err := c.metadata(ctx, schema.FromAPIVersionAndKind(list.GroupVersion, resource.Kind), namespace)
			if err != nil {
				return nil, err
			}
			found = append(found, objects...)
		}
	}
	return found, nil
}

func (c *cluster) metadata(
	ctx context.Context, kind schema.GroupVersionKind, namespace string,
) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Kind, err)
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(kind)
	}
	return list.Items, nil
}

// holdsOnly says what a namespace holds beyond what it may, named Kind/name.
func (c *cluster) holdsOnly(ctx context.Context, namespace string, expected map[string]bool) error {
	objects, err := c.everything(ctx, namespace, true)
	if err != nil {
		return err
	}
	var more []string
	for _, o := range objects {
		if name := o.Kind + "/" + o.Name; !expected[name] {
			more = append(more, name)
		}
	}
	if len(more) > 0 {
		return fmt.Errorf("it also holds %v", more)
	}
	return nil
}
