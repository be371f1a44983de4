// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// apiServer speaks as much of the Kubernetes API as watching one resource takes: list, watch, and a watch that begins
// with the whole list. It can be away, as a real one can.
type apiServer struct {
	*httptest.Server

	mu       sync.Mutex
	changed  *sync.Cond
	away     bool
	version  int
	tenants  map[string]*v1alpha1.ChatTenant
	history  []change
	requests []string
}

type change struct {
	version int
	kind    watch.EventType
	tenant  *v1alpha1.ChatTenant
}

func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{version: 1, tenants: map[string]*v1alpha1.ChatTenant{}}
	s.changed = sync.NewCond(&s.mu)
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(func() {
		s.setAway(true) // ends the watches, for which Close would wait
		s.Close()
	})
	return s
}

func (s *apiServer) config() *rest.Config {
	return &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
}

func (s *apiServer) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
	s.changed.Broadcast()
}

func (s *apiServer) put(tenant *v1alpha1.ChatTenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := watch.Added
	if s.tenants[tenant.Name] != nil {
		kind = watch.Modified
	}
	s.record(kind, tenant.DeepCopy())
	s.tenants[tenant.Name] = s.history[len(s.history)-1].tenant
}

func (s *apiServer) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(watch.Deleted, s.tenants[name].DeepCopy())
	delete(s.tenants, name)
}

func (s *apiServer) record(kind watch.EventType, tenant *v1alpha1.ChatTenant) {
	s.version++
	tenant.ResourceVersion = strconv.Itoa(s.version)
	s.history = append(s.history, change{s.version, kind, tenant})
	s.changed.Broadcast()
}

func (s *apiServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP implements http.Handler.
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		panic(http.ErrAbortHandler)
	}
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	query := r.URL.Query()
	if query.Get("watch") == "" {
		s.list(w)
		return
	}
	after, _ := strconv.Atoi(query.Get("resourceVersion"))
	s.watch(w, r, after, query.Get("sendInitialEvents") == "true")
}

func (s *apiServer) list(w http.ResponseWriter) {
	list := v1alpha1.ChatTenantList{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ChatTenantList"},
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)},
	}
	for _, tenant := range s.tenants {
		list.Items = append(list.Items, *tenant)
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, after int, initial bool) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.Context().Done():
			s.changed.Broadcast()
		case <-stop:
		}
	}()
	send := sender(w)
	if initial {
		for _, tenant := range s.tenants {
			send(watch.Added, tenant)
		}
		send(watch.Bookmark, s.bookmark())
		after = s.version
	}
	for r.Context().Err() == nil && !s.away {
		for _, c := range s.history {
			if c.version > after {
				send(c.kind, c.tenant)
				after = c.version
			}
		}
		s.changed.Wait()
	}
}

func (s *apiServer) bookmark() *v1alpha1.ChatTenant {
	return &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: strconv.Itoa(s.version),
		Annotations:     map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
}

func sender(w http.ResponseWriter) func(watch.EventType, *v1alpha1.ChatTenant) {
	encoder := json.NewEncoder(w)
	return func(kind watch.EventType, tenant *v1alpha1.ChatTenant) {
		object := tenant.DeepCopy()
		object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ChatTenant"}
		_ = encoder.Encode(map[string]any{"type": kind, "object": object})
		_ = http.NewResponseController(w).Flush()
	}
}
