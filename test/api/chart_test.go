// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

func TestTheChartRendersWhatWasReviewed(t *testing.T) {
	for _, scenario := range []struct {
		name string
		args []string
	}{
		{"default", nil},
		{"node-port", []string{"--set",
			"gateway.service.type=NodePort,gateway.service.nodePort=30443,gateway.publicPort=8443"}},
		{"everything", []string{"--values", filepath.Join("testdata", "chart", "everything-values.yaml")}},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			got := withoutDefinitions(string(renderChart(t, scenario.args...)))
			golden := filepath.Join("testdata", "chart", scenario.name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("review the difference, then run the test with -update (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutDefinitions leaves the resource definitions out, which are the same in config/crd.
func withoutDefinitions(rendered string) string {
	var kept []string
	for _, document := range strings.Split(rendered, "\n---\n") {
		if !strings.Contains(document, "\nkind: CustomResourceDefinition\n") {
			kept = append(kept, document)
		}
	}
	return strings.Join(kept, "\n---\n")
}

func TestBothWaysToInstallGiveTheSame(t *testing.T) {
	ways := installations(t)
	if diff := cmp.Diff(byName(ways["kustomize"]), byName(ways["chart"])); diff != "" {
		t.Errorf("kustomize (-) and chart (+) differ:\n%s", diff)
	}
}

// byName indexes objects, without the namespace itself, which Helm's user makes, and without what marks Helm's own.
func byName(objects []*unstructured.Unstructured) map[string]any {
	found := map[string]any{}
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			continue
		}
		annotations := o.GetAnnotations()
		delete(annotations, "helm.sh/resource-policy")
		o.SetAnnotations(annotations)
		found[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.Object
	}
	return found
}

func TestUninstallingKeepsDefinitions(t *testing.T) {
	definitions := 0
	for _, o := range chart(t) {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		definitions++
		if o.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s goes with the release, and every tenant with it", o.GetName())
		}
	}
	if definitions != len(tested) {
		t.Errorf("the chart has %d definitions, want %d", definitions, len(tested))
	}
}

func TestTheChartRefusesValuesItDoesNotKnow(t *testing.T) {
	dir := filepath.Join(root, "charts", "chattenant")
	for _, test := range []struct{ name, value, want string }{
		{"a misspelt value", "operator.replica=2", "additional properties 'replica' not allowed"},
		{"no image", "images.operator=", "/images/operator"},
		{"an image that is none", "images.gateway=not an image", "/images/gateway"},
		{"a port out of range", "gateway.service.nodePort=70000", "/gateway/service/nodePort"},
		{"an unknown Service type", "gateway.service.type=ExternalName", "/gateway/service/type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := tool(t.Context(), "helm", "template", "chattenant", dir,
				"--values", filepath.Join(dir, "ci", "values.yaml"), "--set", test.value)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want an error with %q, got: %v", test.want, err)
			}
		})
	}
}
