// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// change edits a manifest.
type change func(t *testing.T, o *unstructured.Unstructured)

// absent as a value takes the field away.
var absent = &struct{}{}

// set puts a value at a path like spec.endpoint.allowedOrigins[]: a name with [] stands for the list's only element.
func set(path string, value any) change {
	return func(t *testing.T, o *unstructured.Unstructured) {
		t.Helper()
		place(o, path, plain(t, value))
	}
}

// place puts what a manifest can hold at a path.
func place(o *unstructured.Unstructured, path string, value any) {
	put(o.Object, strings.Split(path, "."), value)
}

func put(in map[string]any, path []string, value any) {
	name, list := strings.CutSuffix(path[0], "[]")
	switch {
	case len(path) == 1 && list:
		in[name] = []any{value}
	case len(path) == 1 && value == any(absent):
		delete(in, name)
	case len(path) == 1:
		in[name] = value
	default:
		put(child(in, name, list), path[1:], value)
	}
}

// child is the structure of a name, made if there is none.
func child(in map[string]any, name string, list bool) map[string]any {
	at := in[name]
	if elements, ok := at.([]any); ok && len(elements) > 0 {
		at = elements[0]
	}
	found, ok := at.(map[string]any)
	if !ok {
		found = map[string]any{}
		in[name] = found
		if list {
			in[name] = []any{found}
		}
	}
	return found
}

// plain turns a Go value into what a manifest can hold.
func plain(t *testing.T, value any) any {
	t.Helper()
	if value == any(absent) {
		return absent
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func changed(t *testing.T, base *unstructured.Unstructured, changes ...change) *unstructured.Unstructured {
	t.Helper()
	o := base.DeepCopy()
	for _, c := range changes {
		c(t, o)
	}
	return o
}

// a is a text of n letters.
func a(n int) string { return strings.Repeat("a", n) }

// padded fills a text up to n bytes.
func padded(prefix string, n int) string { return prefix + a(n-len(prefix)) }

// hostName is a DNS name of exactly n bytes, n > 4, in labels of at most 63.
func hostName(n int) string {
	var labels []string
	for n > 64 {
		labels, n = append(labels, a(59)), n-60
	}
	return strings.Join(append(labels, a(n-2)+".b"), ".")
}

// numbered is a list of n different elements.
func numbered[T any](n int, element func(i int) T) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = element(i)
	}
	return list
}

// releaseIs says which release a definition came with.
func releaseIs(version string) change {
	return func(t *testing.T, o *unstructured.Unstructured) {
		t.Helper()
		o.SetAnnotations(map[string]string{"chattenant.io/release": version})
	}
}
