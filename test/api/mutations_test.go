// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mutate selects the policies of which every clause is left out once. It takes one or two seconds a clause.
var mutate = flag.String("mutate", "", "leave out each clause of the admission policies that match, one at a time")

// clauses selects those that are left out, by the names that a run prints.
var clauses = flag.String("mutate.clauses", ".", "leave out only the clauses whose names match")

func selectedClause(name string) bool { return regexp.MustCompile(*clauses).MatchString(name) }

// asked selects the tests that are to notice, to save time: a policy's own are enough.
var asked = flag.String("mutate.judges", ".", "ask only these tests about a clause that was left out")

// needless are clauses that no test can miss, with the reason.
var needless = map[string]string{ //nolint:gosec // A policy about tokens has a name, and holds none.
	"chattenant-volumes: without UPDATE of statefulsets": "the API server changes no template, so far",
	"chattenant-dedicated-nodes: validation 1 without t.?operator.orValue('Equal') == 'Equal'": "the API server takes " +
		"no other operator together with a value, so far",
	"chattenant-node-regions: condition changes-labels all of it": "equal labels pass: this spares kubelets' reports",
	"chattenant-key-tokens: without its namespaces":               "no label, no tenant: this spares pods",
	"chattenant-key-tokens: validation 1 without a == ''": "chattenant-pods refuses it as well: this keeps to one " +
		"answer, as the usual run sees",
}

// TestEveryClauseOfThePoliciesIsNeeded shows that for each clause of an admission policy there is a test that fails
// without it. It is no part of the usual run: make mutation.
func TestEveryClauseOfThePoliciesIsNeeded(t *testing.T) {
	if *mutate == "" {
		t.Skip("only with -mutate")
	}
	inTenantNamespace(t)
	tries, waits = 30, 3*time.Second
	// Every policy takes the others for one of these, or names them, and TestEachOfKubernetesOwnPartsGoesOnWorking too.
	everybody = []string{operator, certManager, person, kubelet, scheduler, manager}
	judges = slices.DeleteFunc(judges, func(judge func(*testing.T)) bool {
		return !regexp.MustCompile(*asked).MatchString(nameOf(judge))
	})
	for range 2 {
		if judge := failing(); judge != "" {
			t.Fatalf("%s fails where nothing is wrong: it must not leave anything behind", judge)
		}
	}
	selected := regexp.MustCompile(*mutate)
	c := policyClient(t)
	list := &admissionregistrationv1.ValidatingAdmissionPolicyList{}
	if err := c.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		policy := &list.Items[i]
		if selected.MatchString(policy.Name) {
			tryMutants(t, c, policy)
		}
	}
}

func policyClient(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(unlimited(admin), client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryMutants(t *testing.T, c client.Client, policy *admissionregistrationv1.ValidatingAdmissionPolicy) {
	t.Helper()
	for _, m := range mutants(policy) {
		if !selectedClause(m.name) {
			continue
		}
		if err := replace(t, c, policy, &m.policy.Spec); err != nil {
			// A replacement that is of another kind than what was there is none.
			fmt.Fprintf(os.Stderr, "does not compile\t%s\n", m.name)
			continue
		}
		killed := failing()
		fmt.Fprintf(os.Stderr, "%s\t%s\n", killed, m.name)
		if killed == "" && needless[m.name] == "" {
			t.Errorf("no test misses %s", m.name)
		}
	}
	if err := replace(t, c, policy, &policy.Spec); err != nil {
		t.Fatalf("%s: %v", policy.Name, err)
	}
	if judge := failing(); judge != "" {
		t.Fatalf("%s goes on failing after the clauses of %s: one left something behind", judge, policy.Name)
	}
}

// replace puts a policy into force and waits until it is. It fails where the API server does not take it.
func replace(
	t *testing.T, c client.Client, policy *admissionregistrationv1.ValidatingAdmissionPolicy,
	spec *admissionregistrationv1.ValidatingAdmissionPolicySpec,
) error {
	t.Helper()
	live := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(policy), live); err != nil {
		t.Fatal(err)
	}
	live.Spec = *spec
	if err := c.Update(t.Context(), live); err != nil {
		return err
	}
	if err := takenUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return nil
}

// failing is the first test that a mutant fails, empty if it passes all.
func failing() string {
	for i, judge := range judges {
		if !passes(judge) {
			// The clause next to it is likely to be missed by the same one.
			judges = slices.Insert(slices.Delete(judges, i, i+1), 0, judge)
			return nameOf(judge)
		}
	}
	return ""
}

// passes runs a test by itself, without its output.
func passes(judge func(*testing.T)) bool {
	out := os.Stdout
	defer func() { os.Stdout = out }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	defer func() { _ = null.Close() }()
	os.Stdout = null
	alone := []testing.InternalTest{{Name: nameOf(judge), F: judge}}
	return testing.RunTests(func(string, string) (bool, error) { return true, nil }, alone)
}

func nameOf(judge func(*testing.T)) string {
	name := runtime.FuncForPC(reflect.ValueOf(judge).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}
