// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

const resource = "chattenants"

// Watcher keeps a [Table] as the API server says. It needs get, list and watch on ChatTenants, nothing else.
type Watcher struct {
	informer cache.SharedIndexInformer
	handler  cache.ResourceEventHandlerRegistration
}

// NewWatcher prepares to fill table. It makes no request yet.
func NewWatcher(config *rest.Config, table *Table, log logr.Logger) (*Watcher, error) {
	client, err := chatTenantClient(config, log)
	if err != nil {
		return nil, fmt.Errorf("make ChatTenant client: %w", err)
	}
	tenants := cache.NewListWatchFromClient(client, resource, metav1.NamespaceAll, fields.Everything())
	informer := cache.NewSharedIndexInformerWithOptions(tenants, &v1alpha1.ChatTenant{},
		cache.SharedIndexInformerOptions{ObjectDescription: resource})
	if err := informer.SetTransform(keepClaim); err != nil {
		return nil, fmt.Errorf("set transform: %w", err)
	}
	handler, err := informer.AddEventHandler(feed(table))
	if err != nil {
		return nil, fmt.Errorf("add event handler: %w", err)
	}
	return &Watcher{informer: informer, handler: handler}, nil
}

// chatTenantClient speaks to one resource of one group, without discovery and without every built-in kind's types.
func chatTenantClient(config *rest.Config, log logr.Logger) (rest.Interface, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	scoped := rest.CopyConfig(config)
	scoped.GroupVersion = &v1alpha1.GroupVersion
	scoped.APIPath = "/apis"
	scoped.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	report(scoped, log)
	return rest.RESTClientFor(scoped)
}

// Run watches until ctx ends. It never gives up: while the API server is away the table stays as it is.
func (w *Watcher) Run(ctx context.Context) {
	w.informer.RunWithContext(ctx)
}

// WaitForRoutes returns true when the table holds the first complete list, false when ctx ends before that.
func (w *Watcher) WaitForRoutes(ctx context.Context) bool {
	return cache.WaitFor(ctx, "", w.handler.HasSyncedChecker())
}

// keepClaim strips a ChatTenant to what decides its route, before it is cached.
func keepClaim(obj any) (any, error) {
	full, ok := obj.(*v1alpha1.ChatTenant)
	if !ok {
		return obj, nil
	}
	return &v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{
			Name:              full.Name,
			UID:               full.UID,
			ResourceVersion:   full.ResourceVersion,
			CreationTimestamp: full.CreationTimestamp,
			DeletionTimestamp: full.DeletionTimestamp,
		},
		Spec: v1alpha1.ChatTenantSpec{Endpoint: v1alpha1.Endpoint{Host: full.Spec.Endpoint.Host}},
	}, nil
}

func feed(table *Table) cache.ResourceEventHandler {
	set := func(obj any) {
		if tenant, ok := obj.(*v1alpha1.ChatTenant); ok {
			table.Set(tenant)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, now any) { set(now) },
		DeleteFunc: func(obj any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
				table.Delete(key)
			}
		},
	}
}
