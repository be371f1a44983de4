// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// objectID is how the operator's cache knows an object.
type objectID struct{ kind, namespace, name string }

func idOf(o client.Object) objectID {
	gvk, err := apiutil.GVKForObject(o, scheme)
	if err != nil {
		panic(err)
	}
	return objectID{gvk.Kind, o.GetNamespace(), o.GetName()}
}

// tenantName is the tenant that an object belongs to, empty where it is nobody's own.
func (id objectID) tenantName() string {
	switch {
	case id.kind == "ChatTenant":
		return id.name
	case id.namespace != "":
		name, _ := naming.TenantOf(id.namespace)
		return name
	case id.kind == "Namespace":
		name, _ := naming.TenantOf(id.name)
		return name
	}
	return ""
}

// watched is one event of a watch. A nil object was deleted.
type watched struct {
	id     objectID
	object client.Object
	// wakes says whether the operator asks for a pass on it.
	wakes bool
	// version is that of an object that was deleted.
	version uint64
}

// eventLog is what the API server has told the operator's cache, of every tenant. Views of it may lag behind.
type eventLog struct {
	cache cache.Cache

	mu      sync.Mutex
	more    *sync.Cond
	objects map[objectID]client.Object
	// removed are the versions of objects that are gone.
	removed map[objectID]uint64
	views   map[*view]struct{}
}

// startEventLog watches what the operator watches, as the operator would.
func startEventLog(t *testing.T) *eventLog {
	t.Helper()
	options := CacheOptions()
	options.Scheme = scheme
	c, err := cache.New(asOperator(), options)
	if err != nil {
		t.Fatal(err)
	}
	l := &eventLog{cache: c, objects: map[objectID]client.Object{}, removed: map[objectID]uint64{},
		views: map[*view]struct{}{}}
	l.more = sync.NewCond(&l.mu)
	ctx, cancel := context.WithCancel(context.Background())
	if err := addIndexes(ctx, c); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	own := append(apply.Kinds(), &corev1.Pod{}, &corev1.PersistentVolumeClaim{}, &v1alpha1.ChatTenant{})
	for _, kind := range own {
		informer, err := c.GetInformer(ctx, kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := informer.AddEventHandler(l.handler()); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *eventLog) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { l.note(nil, o) },
		UpdateFunc: func(before, o any) { l.note(before, o) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			if gone, ok := o.(client.Object); ok {
				l.append(watched{id: idOf(gone), wakes: true, version: version(gone.GetResourceVersion())})
			}
		},
	}
}

func (l *eventLog) note(before, after any) {
	o, ok := after.(client.Object)
	if !ok {
		return
	}
	c := watched{id: idOf(o), object: o, wakes: true}
	if old, ok := before.(client.Object); ok {
		c.wakes = wakes(old, o)
	}
	l.append(c)
}

// wakes asks the predicates of the operator's own watches.
func wakes(before, after client.Object) bool {
	update := event.UpdateEvent{ObjectOld: before, ObjectNew: after}
	switch after.(type) {
	case *v1alpha1.ChatTenant:
		return predicate.Or(predicate.GenerationChangedPredicate{}, deletionRequested()).Update(update)
	case *corev1.Namespace, *corev1.Pod, *corev1.PersistentVolumeClaim:
		return true
	}
	return relevant().Update(update)
}

func (l *eventLog) append(c watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(l.objects, c)
	if c.object == nil {
		l.removed[c.id] = c.version
	}
	for v := range l.views {
		v.receive(c)
	}
	l.more.Broadcast()
}

func set(objects map[objectID]client.Object, c watched) {
	if c.object == nil {
		delete(objects, c.id)
	} else {
		objects[c.id] = c.object
	}
}

// written is what the answer to a request says that the cache will hear of.
type written struct {
	id      objectID
	version string
	// gone is the UID of an object that is there no more.
	gone types.UID
}

// await waits until the log holds everything that was written.
func (l *eventLog) await(t *testing.T, all []written) {
	t.Helper()
	deadline := time.Now().Add(patience)
	late := time.AfterFunc(patience+time.Second, l.more.Broadcast)
	defer late.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range all {
		for !l.holds(w) {
			if time.Now().After(deadline) {
				t.Fatalf("the cache never heard of %v", w)
			}
			l.more.Wait()
		}
	}
}

func (l *eventLog) holds(w written) bool {
	if w.gone != "" {
		for _, o := range l.objects {
			if o.GetUID() == w.gone {
				return false
			}
		}
		return true
	}
	o := l.objects[w.id]
	known := l.removed[w.id]
	if o != nil {
		known = version(o.GetResourceVersion())
	}
	return known >= version(w.version)
}

func version(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (id objectID) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s/%s", id.kind, id.namespace, id.name))
}
