// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// tested is what the tables of this package hold for each kind.
var tested = map[string]struct {
	bounds []bound
	rules  []rule
}{
	"ChatTenant":      {chatTenantBounds, chatTenantRules},
	"ChatTenantClass": {chatTenantClassBounds, chatTenantClassRules},
	"DataRegion":      {dataRegionBounds, dataRegionRules},
	"SubProcessor":    {subProcessorBounds, subProcessorRules},
}

// node is a part of a kind's schema with its place in it.
type node struct {
	apiextensionsv1.JSONSchemaProps
	at string
}

func TestEveryBoundInTheSchemaHasATest(t *testing.T) {
	for kind, nodes := range schemas(t) {
		inSchema, inTests := map[string]bool{}, map[string]bool{}
		for _, n := range nodes {
			for _, k := range n.keywords() {
				inSchema[n.at+" "+string(k)] = true
			}
			for _, name := range n.Required {
				inSchema[strings.TrimPrefix(n.at+"."+name, ".")+" required"] = true
			}
		}
		for _, b := range tested[kind].bounds {
			inTests[b.name()] = true
		}
		if diff := cmp.Diff(inSchema, inTests); diff != "" {
			t.Errorf("%s: bounds of the schema (-) and of the tests (+) differ:\n%s", kind, diff)
		}
	}
}

func TestEveryRuleInTheSchemaHasATest(t *testing.T) {
	for kind, nodes := range schemas(t) {
		for _, n := range nodes {
			for _, v := range n.XValidations {
				covered := slices.ContainsFunc(tested[kind].rules, func(r rule) bool {
					return r.at == n.at && strings.Contains(v.Message, r.message)
				})
				if !covered {
					t.Errorf("%s: no test for the rule at %q: %s", kind, n.at, v.Message)
				}
			}
		}
	}
}

// A field without a bound lets anybody who may write one object fill the API server's memory.
func TestEveryFieldIsBounded(t *testing.T) {
	for kind, nodes := range schemas(t) {
		for _, n := range nodes {
			if missing := n.missingBound(); missing != "" {
				t.Errorf("%s: %s has no %s", kind, n.at, missing)
			}
		}
	}
}

func TestNothingIsLeftToGuessing(t *testing.T) {
	for kind, nodes := range schemas(t) {
		for _, n := range nodes {
			if n.at != "" && n.Description == "" && !strings.HasSuffix(n.at, "[]") && !strings.HasSuffix(n.at, ".*") {
				t.Errorf("%s: %s has no description", kind, n.at)
			}
			if n.XPreserveUnknownFields != nil {
				t.Errorf("%s: %s keeps unknown fields", kind, n.at)
			}
		}
	}
}

func schemas(t *testing.T) map[string][]node {
	t.Helper()
	found := map[string][]node{}
	for _, d := range definitions(t) {
		for _, version := range d.Spec.Versions {
			found[d.Spec.Names.Kind] = append(found[d.Spec.Names.Kind], walk("", *version.Schema.OpenAPIV3Schema)...)
		}
	}
	return found
}

// definitions are the resource definitions as they are generated.
func definitions(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(tested) {
		t.Fatalf("%d kinds are defined, %d tested", len(files), len(tested))
	}
	found := make([]apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(content, &found[i]); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// walk lists a schema's nodes, without what every kind has and without the fields of metav1.Condition.
func walk(at string, props apiextensionsv1.JSONSchemaProps) []node {
	nodes := []node{{props, at}}
	if at == "status.conditions" {
		return nodes
	}
	for _, name := range slices.Sorted(maps.Keys(props.Properties)) {
		if at == "" && (name == "apiVersion" || name == "kind" || name == "metadata") {
			continue
		}
		nodes = append(nodes, walk(strings.TrimPrefix(at+"."+name, "."), props.Properties[name])...)
	}
	if props.Items != nil && props.Items.Schema != nil {
		nodes = append(nodes, walk(at+"[]", *props.Items.Schema)...)
	}
	if props.AdditionalProperties != nil && props.AdditionalProperties.Schema != nil {
		nodes = append(nodes, walk(at+".*", *props.AdditionalProperties.Schema)...)
	}
	return nodes
}

func (n node) keywords() []keyword {
	present := map[keyword]bool{
		enum:          len(n.Enum) > 0,
		pattern:       n.Pattern != "",
		format:        n.Format == "date",
		minLength:     n.MinLength != nil,
		maxLength:     n.MaxLength != nil,
		minimum:       n.Minimum != nil,
		maximum:       n.Maximum != nil,
		minItems:      n.MinItems != nil,
		maxItems:      n.MaxItems != nil,
		minProperties: n.MinProperties != nil && *n.MinProperties > 0,
		maxProperties: n.MaxProperties != nil,
		unique:        n.XListType != nil && *n.XListType != "atomic",
	}
	maps.DeleteFunc(present, func(_ keyword, is bool) bool { return !is })
	return slices.Collect(maps.Keys(present))
}

// missingBound names the bound that a field should have and does not. Quantities are bounded by their pattern's parser,
// times by their format; generations only rise.
func (n node) missingBound() string {
	switch {
	case n.XIntOrString || n.Format == "date-time" || n.Format == "int64" && n.Minimum != nil:
	case n.Type == "string" && len(n.Enum) == 0 && (n.MaxLength == nil || n.MinLength == nil):
		return "minLength and maxLength"
	case n.Type == "integer" && (n.Minimum == nil || n.Maximum == nil):
		return "minimum and maximum"
	case n.Type == "array" && (n.MaxItems == nil || n.XListType == nil):
		return "maxItems and list type"
	case n.Type == "object" && n.AdditionalProperties != nil && n.MaxProperties == nil:
		return "maxProperties"
	case n.Type == "number" || n.Type == "boolean":
		return "reason to exist: use integers and enumerations"
	}
	return ""
}
