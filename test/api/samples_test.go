// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTheSamplesAreValid(t *testing.T) {
	rendered, err := tool(t.Context(), "kustomize", "build", filepath.Join(root, "config", "samples"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := decode(rendered)
	if err != nil {
		t.Fatal(err)
	}
	c := adminClient(t)
	var names []string
	for _, o := range objects {
		names = append(names, fmt.Sprintf("%s %s", o.GetKind(), o.GetName()))
		o.SetName("sample-" + o.GetName()) // Other tests have regions of the same names.
		if err := c.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(names)
	want := []string{
		"ChatTenant acme", "ChatTenant globex", "ChatTenantClass standard", "DataRegion eu-central", "DataRegion us-east",
		"SubProcessor mail-relay-eu", "SubProcessor object-store-eu", "SubProcessor tape-vault",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("samples differ (-want +got):\n%s", diff)
	}
}
