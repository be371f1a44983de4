// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// view is one process' cache of one tenant: it is what the log said, the last few events excepted. What all tenants
// share (classes, regions, nodes, volumes, other tenants) it reads from the log's own cache.
type view struct {
	log    *eventLog
	tenant string
	// lag is the number of events that it does not know yet.
	lag int

	// All below is guarded by the log's mutex.
	objects map[objectID]client.Object
	unread  []watched
	// woken means that a pass was asked for.
	woken bool
}

// newView is the cache of a process that starts now: its first lists show everything.
func (l *eventLog) newView(tenant string, lag int) *view {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &view{log: l, tenant: tenant, lag: lag, objects: map[objectID]client.Object{}, woken: true}
	for id, o := range l.objects {
		if id.tenantName() == tenant {
			v.objects[id] = o
		}
	}
	l.views[v] = struct{}{}
	return v
}

func (v *view) close() {
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	delete(v.log.views, v)
}

func (v *view) receive(c watched) {
	if c.id.tenantName() != v.tenant {
		return
	}
	v.unread = append(v.unread, c)
	for len(v.unread) > v.lag {
		v.readOne()
	}
}

func (v *view) readOne() {
	set(v.objects, v.unread[0])
	v.woken = v.woken || v.unread[0].wakes
	v.unread = v.unread[1:]
}

// takeWake answers whether a pass is due. Where nothing else happens, even a cache that lags learns of the next event.
func (v *view) takeWake() bool {
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	for !v.woken && len(v.unread) > 0 {
		v.readOne()
	}
	woken := v.woken
	v.woken = false
	return woken
}

// Get implements client.Reader.
func (v *view) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(o, scheme)
	if err != nil {
		return err
	}
	id := objectID{gvk.Kind, key.Namespace, key.Name}
	if id.tenantName() != v.tenant {
		return v.log.cache.Get(ctx, key, o, opts...)
	}
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	found, ok := v.objects[id]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(gvk.Kind)}, key.Name)
	}
	reflect.ValueOf(o).Elem().Set(reflect.ValueOf(found.DeepCopyObject()).Elem())
	return nil
}

// List implements client.Reader.
func (v *view) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	if options.Namespace == "" {
		return v.log.cache.List(ctx, list, opts...)
	}
	gvk, err := apiutil.GVKForObject(list, scheme)
	if err != nil {
		return err
	}
	kind := strings.TrimSuffix(gvk.Kind, "List")
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	var items []runtime.Object
	for id := range maps.Keys(v.objects) {
		if id.kind == kind && id.namespace == options.Namespace {
			items = append(items, v.objects[id].DeepCopyObject())
		}
	}
	if options.LabelSelector != nil || options.FieldSelector != nil {
		return fmt.Errorf("list %s: this view knows no selectors", kind)
	}
	return meta.SetList(list, items)
}

// viewClient reads from a view and writes to the API server.
type viewClient struct {
	client.Client
	*view
}

func (c viewClient) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return c.view.Get(ctx, key, o, opts...)
}

func (c viewClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.view.List(ctx, list, opts...)
}
