// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// installations are the two ways to install, as what each applies.
func installations(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	return map[string][]*unstructured.Unstructured{
		"kustomize": append(kustomized(t, "default"), kustomized(t, "prometheus")...),
		"chart":     chart(t, "--set", "metrics.prometheusOperator.enabled=true"),
	}
}

func kustomized(t *testing.T, part string) []*unstructured.Unstructured {
	t.Helper()
	rendered, err := tool(t.Context(), "kustomize", "build", filepath.Join(root, "config", part))
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, rendered)
}

// chart renders the chart with the least that must be said, and more.
func chart(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	return decoded(t, renderChart(t, args...))
}

func renderChart(t *testing.T, args ...string) []byte {
	t.Helper()
	dir := filepath.Join(root, "charts", "chattenant")
	rendered, err := tool(t.Context(), "helm", append([]string{
		"template", "chattenant", dir, "--namespace", "chattenant-system", "--kube-version", "1.36.0",
		"--values", filepath.Join(dir, "ci", "values.yaml"),
	}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func decoded(t *testing.T, manifests []byte) []*unstructured.Unstructured {
	t.Helper()
	objects, err := decode(manifests)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// into reads an object into its Go type.
func into[T any](t *testing.T, o *unstructured.Unstructured) T {
	t.Helper()
	var out T
	raw, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
