// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keyword is the name of a schema's restriction.
type keyword string

const (
	required      keyword = "required"
	enum          keyword = "enum"
	pattern       keyword = "pattern"
	format        keyword = "format"
	minLength     keyword = "minLength"
	maxLength     keyword = "maxLength"
	minimum       keyword = "minimum"
	maximum       keyword = "maximum"
	minItems      keyword = "minItems"
	maxItems      keyword = "maxItems"
	minProperties keyword = "minProperties"
	maxProperties keyword = "maxProperties"
	unique        keyword = "unique"
)

// complaints are what the API server says when a restriction is violated.
var complaints = map[keyword]string{
	required:      "Required value",
	enum:          "Unsupported value",
	pattern:       "should match",
	format:        "must be of type",
	minLength:     "should be at least",
	maxLength:     "Too long",
	minimum:       "should be greater than or equal to",
	maximum:       "should be less than or equal to",
	minItems:      "should have at least",
	maxItems:      "Too many",
	minProperties: "should have at least",
	maxProperties: "Too many",
	unique:        "Duplicate value",
}

// bound is one restriction of one field, with the last value that it lets through and the first that it does not.
type bound struct {
	at        string
	keyword   keyword
	good, bad any
}

func (b bound) name() string { return b.at + " " + string(b.keyword) }

// needed fields cannot be left out.
func needed(paths ...string) []bound {
	var bounds []bound
	for _, path := range paths {
		bounds = append(bounds, bound{path, required, nil, absent})
	}
	return bounds
}

// text has between lowest and highest characters.
func text(at string, lowest, highest int) []bound { return textLike(at, lowest, highest, a) }

// textLike is text of a form that make produces in any length.
func textLike(at string, lowest, highest int, form func(n int) string) []bound {
	return []bound{
		{at, minLength, form(lowest), a(lowest - 1)},
		{at, maxLength, form(highest), form(highest + 1)},
	}
}

// matches tells one right from one wrong form.
func matches(at, good, bad string) []bound { return []bound{{at, pattern, good, bad}} }

func oneOf(at string, choices ...string) []bound {
	var bounds []bound
	for _, choice := range choices {
		bounds = append(bounds, bound{at, enum, choice, strings.ToLower(choice)})
	}
	return bounds
}

func number(at string, lowest, highest int) []bound {
	return []bound{{at, minimum, lowest, lowest - 1}, {at, maximum, highest, highest + 1}}
}

// list is a set, or a list with keys, of between one and most elements.
func list[T any](at string, most int, element func(i int) T) []bound {
	return []bound{
		{at, minItems, numbered(1, element), []T{}},
		{at, maxItems, numbered(most, element), numbered(most+1, element)},
		{at, unique, numbered(2, element), []T{element(0), element(0)}},
	}
}

// quantity is a Kubernetes quantity.
func quantity(at string) []bound { return matches(at, "1Gi", "1 Gi") }

// notEmpty is a structure that needs something in it.
func notEmpty(at string, good any) []bound {
	return []bound{{at, minProperties, good, map[string]any{}}}
}

// testBounds holds the API server to each bound. The base carries every field, so that the siblings of the field in
// question are there.
func testBounds(t *testing.T, kind string, bounds []bound) {
	t.Helper()
	c, base := adminClient(t), manifest(t, kind+"-full")
	stored := ensure(t, c, manifest(t, kind))
	for _, b := range bounds {
		t.Run(b.name(), func(t *testing.T) {
			path := concrete(base, b.at)
			found := causes(t, submit(t, c, changed(t, base, set(path, b.bad)), stored, b.at))
			if !slices.ContainsFunc(found, b.explains(path)) {
				t.Errorf("%v was not refused by %s; causes: %v", b.bad, b.keyword, found)
			}
			if b.keyword == required {
				return
			}
			for _, cause := range causes(t, submit(t, c, changed(t, base, set(path, b.good)), stored, b.at)) {
				if cause.Field == elementPath(path) {
					t.Errorf("%v was refused: %v", b.good, cause)
				}
			}
		})
	}
}

// submit offers a manifest to the API server without leaving anything there. A status is offered for the stored object.
func submit(t *testing.T, c client.Client, o, stored *unstructured.Unstructured, at string) error {
	t.Helper()
	if !strings.HasPrefix(at, "status") {
		return c.Create(t.Context(), o, client.DryRunAll)
	}
	o.SetName(stored.GetName())
	o.SetResourceVersion(stored.GetResourceVersion())
	return as(t, operator).Status().Update(t.Context(), o, client.DryRunAll)
}

// ensure creates an object for the time of the test.
func ensure(t *testing.T, c client.Client, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, o) })
	return o
}

// concrete names a key in place of each * of a schema's path.
func concrete(base *unstructured.Unstructured, at string) string {
	before, after, found := strings.Cut(at, ".*")
	if !found {
		return at
	}
	keys, _, err := unstructured.NestedMap(base.Object, strings.Split(before, ".")...)
	if err != nil || len(keys) == 0 {
		return at
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	return before + "." + slices.Min(names) + after
}

// elementPath is the path as the API server writes it.
func elementPath(path string) string { return strings.ReplaceAll(path, "[]", "[0]") }

func (b bound) explains(path string) func(metav1.StatusCause) bool {
	field := elementPath(path)
	if b.keyword == unique {
		field += "[1]"
	}
	return func(cause metav1.StatusCause) bool {
		return cause.Field == field && strings.Contains(cause.Message, complaints[b.keyword])
	}
}

// causes are the single findings of a refusal; none if there was no refusal.
func causes(t *testing.T, err error) []metav1.StatusCause {
	t.Helper()
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case !apierrors.IsInvalid(err) || !errors.As(err, &status):
		t.Fatalf("want a refusal by validation, got: %v", err)
	}
	return status.Status().Details.Causes
}
