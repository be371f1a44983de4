// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// Where several admission policies refuse a request, the API server names any of them: a test that looks at the text
// must see to it that one alone does. So here each policy that refuses also warns, and the API server sends all
// warnings.

// warning is a second binding of a policy, by which it warns; nil of one that refuses nothing.
func warning(binding *unstructured.Unstructured) *unstructured.Unstructured {
	actions, _, _ := unstructured.NestedStringSlice(binding.Object, "spec", "validationActions")
	if binding.GetKind() != "ValidatingAdmissionPolicyBinding" || !slices.Contains(actions, "Deny") {
		return nil
	}
	second := binding.DeepCopy()
	second.SetName(binding.GetName() + warns)
	place(second, "spec.validationActions", []any{"Warn"})
	return second
}

// warns is what the names of those bindings end in.
const warns = "-warns"

// lastAnswer is what the last answer to any of these tests' clients said. The tests of this package run one by one.
var lastAnswer struct {
	sync.Mutex

	warnings []string
}

// heeding keeps the warnings of each answer.
func heeding(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			lastAnswer.Lock()
			defer lastAnswer.Unlock()
			lastAnswer.warnings = nil
			if err == nil {
				lastAnswer.warnings = response.Header.Values("Warning")
			}
			return response, err
		})
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var policyNamed = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'`)

// refusing are the policies that refused the last request.
func refusing() (policies []string) {
	lastAnswer.Lock()
	defer lastAnswer.Unlock()
	for _, text := range lastAnswer.warnings {
		if match := policyNamed.FindStringSubmatch(text); match != nil && strings.Contains(text, warns+"'") {
			policies = append(policies, match[1])
		}
	}
	slices.Sort(policies)
	return slices.Compact(policies)
}

// wantOneRefusing holds the last request, which was refused so, to have been refused by no other policy than the one
// that the API server names. A policy with a clause left out may refuse what another one refuses, too.
func wantOneRefusing(t *testing.T, err error) {
	t.Helper()
	named := policyNamed.FindStringSubmatch(err.Error())
	if named == nil || *mutate != "" {
		return
	}
	if policies := refusing(); !slices.Equal(policies, named[1:]) {
		t.Errorf("%v refuse this, and the API server names any of them, now %s", policies, named[1])
	}
}
