// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fault is what befalls one write. It may send the request or not.
type fault func(w *wire, r *http.Request) (*http.Response, error)

var errKilled = errors.New("killed on purpose")

// wire carries a process' writes to the API server, and lets the n-th meet a fault.
type wire struct {
	next http.RoundTripper

	mu     sync.Mutex
	writes int
	// at is the number of the write that meets its fault, counted from 1; 0 is none.
	at    int
	fault fault
	// met says that the fault happened; dead that the process was killed by it.
	met, dead bool
	// heard is what the answers said, for the cache to catch up with.
	heard []written
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return w.next.RoundTrip(r)
	}
	w.mu.Lock()
	w.writes++
	doomed, dead := w.writes == w.at, w.dead
	w.met = w.met || doomed
	w.mu.Unlock()
	switch {
	case dead:
		return nil, errKilled
	case doomed:
		return w.fault(w, r)
	}
	return w.send(r)
}

// send sends the request and notes what the cache will hear of it.
func (w *wire) send(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err != nil || response.StatusCode >= http.StatusMultipleChoices {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	if told, ok := writtenBy(r.Method, body); ok {
		w.heard = append(w.heard, told)
	}
	return response, nil
}

func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
}

// takeHeard answers what was written since it was last asked.
func (w *wire) takeHeard() []written {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := w.heard
	w.heard = nil
	return heard
}

// writtenBy reads an object that was written, or the status that answers a deletion.
func writtenBy(method string, body []byte) (written, bool) {
	var o struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta     `json:"metadata"`
		Details         *metav1.StatusDetails `json:"details"`
		Spec            struct {
			Finalizers []string `json:"finalizers"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		panic(err)
	}
	w := written{id: objectID{o.Kind, o.Metadata.Namespace, o.Metadata.Name}, version: o.Metadata.ResourceVersion}
	switch {
	case o.Details != nil:
		return written{gone: o.Details.UID}, o.Details.UID != ""
	case o.Metadata.DeletionTimestamp == nil && method == http.MethodDelete:
		return written{gone: o.Metadata.UID}, true
	// An object on its way out goes with its last finalizer, whatever kind of write takes that.
	case o.Metadata.DeletionTimestamp != nil && len(o.Metadata.Finalizers)+len(o.Spec.Finalizers) == 0:
		return written{gone: o.Metadata.UID}, true
	}
	return w, w.id.tenantName() != "" && cachedKinds()[o.Kind] && managedByUs(&o.Metadata, o.Kind)
}

func managedByUs(o *metav1.ObjectMeta, kind string) bool {
	return kind == "ChatTenant" || kind == "Namespace" || o.Labels["app.kubernetes.io/managed-by"] == "chattenant"
}

// cachedKinds are those of a tenant's own objects that the operator watches.
var cachedKinds = sync.OnceValue(func() map[string]bool {
	kinds := map[string]bool{}
	for _, kind := range strings.Fields("Namespace RoleBinding ResourceQuota LimitRange ServiceAccount NetworkPolicy " +
		"ConfigMap Service StatefulSet Deployment PodDisruptionBudget Issuer Certificate Pod PersistentVolumeClaim " +
		"ChatTenant") {
		kinds[kind] = true
	}
	return kinds
})

// refusal is an answer of the API server that did not come from it.
func refusal(code int, reason metav1.StatusReason) *http.Response {
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: reason,
		Code: int32(code), Message: "refused on purpose", //nolint:gosec // A status code fits.
	})
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": []string{"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// mapper asks the API server once what it serves.
var mapper = sync.OnceValues(func() (meta.RESTMapper, error) { return admin.RESTMapper(), nil })

// wired is a client whose writes go over a wire. It speaks JSON, so that answers can be read on the way.
func wired(t *testing.T, base *rest.Config) (client.Client, *wire) {
	t.Helper()
	c, w := rest.CopyConfig(base), &wire{}
	c.ContentType, c.AcceptContentTypes, c.QPS = "application/json", "application/json", -1
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.next = next
		return w
	})
	m, err := mapper()
	if err != nil {
		t.Fatal(err)
	}
	wiredClient, err := client.New(c, client.Options{Scheme: scheme, Mapper: m})
	if err != nil {
		t.Fatal(err)
	}
	return wiredClient, w
}
