// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestTheChartHoldsWhatConfigSays(t *testing.T) {
	root := filepath.Join("..", "..")
	want, err := generate(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "charts", "chattenant", "templates", "generated")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[entry.Name()] = string(content)
	}
	if diff := cmp.Diff(text(want), got); diff != "" {
		t.Errorf("run make manifests (-config +chart):\n%s", diff)
	}
}

func TestManifestsBecomeTemplates(t *testing.T) {
	templates, err := generate(fstest.MapFS{
		"config/crd/bases/chattenant.io_things.yaml": {Data: []byte("metadata:\n  annotations:\n    a: {{b}}\n")},
		"config/rbac/role.yaml":                      {Data: []byte("namespace: chattenant-system\n")},
		"config/rbac/kustomization.yaml":             {Data: []byte("resources: []\n")},
		"config/admission/policy.yaml":               {Data: []byte("system:serviceaccount:cert-manager:cert-manager\n")},
		"config/flowcontrol/flow.yaml":               {Data: []byte("{}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	const notice = " by hack/chart. DO NOT EDIT.\n"
	want := map[string]string{
		"crd-things.yaml": "# Generated from config/crd/bases/chattenant.io_things.yaml" + notice +
			"metadata:\n" + crdAnnotations + "    a: {{ \"{{\" }}b}}\n",
		"rbac-role.yaml": "# Generated from config/rbac/role.yaml" + notice + "namespace: {{ .Release.Namespace }}\n",
		"admission-policy.yaml": "# Generated from config/admission/policy.yaml" + notice +
			"system:serviceaccount:{{ .Values.certManager.namespace }}:{{ .Values.certManager.serviceAccountName }}\n",
		"flowcontrol-flow.yaml": "# Generated from config/flowcontrol/flow.yaml" + notice + "{}\n",
	}
	if diff := cmp.Diff(want, text(templates)); diff != "" {
		t.Errorf("templates differ (-want +got):\n%s", diff)
	}
}

func TestADefinitionWithoutAnnotationsIsAnError(t *testing.T) {
	_, err := generate(fstest.MapFS{"config/crd/bases/things.yaml": {Data: []byte("metadata: {}\n")}})
	if err == nil || !strings.Contains(err.Error(), "block of annotations") {
		t.Errorf("got error %v, want one about annotations", err)
	}
}

func text(templates map[string][]byte) map[string]string {
	out := make(map[string]string, len(templates))
	for name, content := range templates {
		out[name] = string(content)
	}
	return out
}
