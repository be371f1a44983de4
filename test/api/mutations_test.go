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

// mutate selects the policies of which every clause is left out once. It takes about three seconds a clause.
var mutate = flag.String("mutate", "", "leave out each clause of the admission policies that match, one at a time")

// asked selects the tests that are to notice, to save time: a policy's own are enough.
var asked = flag.String("mutate.judges", ".", "ask only these tests about a clause that was left out")

// needless are clauses that no test can miss, with the reason.
var needless = map[string]string{
	"chattenant-hosts: validation without params == null":               "no parameter, no evaluation",
	"chattenant-recipient-residency: validation without params == null": "no parameter, no evaluation",
	"chattenant-node-regions: validation without params == null":        "no parameter, no evaluation",
	"chattenant-volumes: without UPDATE of statefulsets":                "the API server changes no template",
}

// judges are the tests that a mutant must fail: all that ask admission.
var judges = []func(*testing.T){
	TestTheOperatorWritesOnPodsThatItMade,
	TestTheOperatorTellsAGatewayOnceMore,
	TestARecipientOutsideIsNotAddedToATenant,
	TestABoundedTenantNeedsNoRecipients,
	TestTheEconomicAreaIsMoreThanTheUnion,
	TestAKubeletRelabelsThroughTheStatusOfAPodNothing,
	TestADedicatedPodsTermsAreExact,
	TestDeletingATenantTakesItsName,
	TestDeletingARegionTakesItsName,
	TestClassesAndSubProcessorsAreDeletedFreely,
	TestDefinitionsDoNotGoBackwards,
	TestDefinitionsOfOthersGoWhereTheyWant,
	TestDefinitionsStayWhileATenantExists,
	TestNobodyButTheOperatorMarksNamespaces,
	TestTheMessagesAboutNamespacesSayWhatToDo,
	TestPodsWithDedicatedNodesDemandAndTolerateThem,
	TestPodsWithoutDedicatedNodesTolerateNobodys,
	TestNoTolerationIsAddedToARunningPod,
	TestAKubeletDoesNotSayWhoseItsNodeIsNorMovesIt,
	TestOnlyTheOperatorOpensATenantsNamespace,
	TestOnlyTheOperatorAndCertManagerKeepKeys,
	TestOnlyTheOperatorChangesWhatItManages,
	TestPodsAndVolumesAreLivedWithButNotChanged,
	TestOtherNamespacesAreLeftAlone,
	TestTheOperatorReachesNoFurtherThanItsTenants,
	TestOthersBindRolesAsTheyMay,
	TestEveryPodOfATenantHasItsPlace,
	TestARegionOfSeveralLabelsDemandsThemAll,
	TestNoContainerIsAddedToARunningPod,
	TestPodsOfOthersGoWhereTheyWant,
	TestAProbesPodIsNothingButAProbe,
	TestOnlyAProbeTakesAnothersPlaceInTheNetwork,
	TestOnlyTheOperatorMakesJobsInATenantsNamespace,
	TestTheOperatorWritesOneAnnotationOnGatewaysAndNothingElseOnPods,
	TestARecipientOutsideTheJurisdictionsIsRefused,
	TestATenantIsNotMovedOntoARecipientOutside,
	TestAResidencyIsRefusedExactlyWhereTheOperatorWouldStall,
	TestAResidencyIsHeldToWhenItChangesAndInTheWayOfNothingElse,
	TestAHostThatAnotherTenantHasIsRefused,
	TestARegionThatNodesCanClaimIsWarnedOf,
	TestOnlyTheOperatorWritesTheStatusOfATenant,
	TestWhatTheClusterFoundIsWrittenByWhoFoundIt,
	TestWhatAQuotaBoundsIsCountedByTheAPIServer,
	TestATenantsVolumesComeNewAndFromItsRegion,
	TestNobodyLaysAClaimInATenantsWay,
	TestOnlyKubernetesBindsATenantsClaims,
}

// TestEveryClauseOfThePoliciesIsNeeded shows that for each clause of an admission policy there is a test that fails
// without it. It is no part of the usual run: make mutation.
func TestEveryClauseOfThePoliciesIsNeeded(t *testing.T) {
	if *mutate == "" {
		t.Skip("only with -mutate")
	}
	inTenantNamespace(t)
	tries, waits = 30, 3*time.Second
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
		replace(t, c, policy, &m.policy.Spec)
		killed := failing()
		fmt.Fprintf(os.Stderr, "%s\t%s\n", killed, m.name)
		replace(t, c, policy, &policy.Spec)
		if killed != "" && !passes(judges[0]) {
			t.Fatalf("%s goes on failing after %s: it left something behind", killed, m.name)
		}
		if killed == "" && needless[m.name] == "" {
			t.Errorf("no test misses %s", m.name)
		}
	}
}

// replace puts a policy into force and waits until it is.
func replace(
	t *testing.T, c client.Client, policy *admissionregistrationv1.ValidatingAdmissionPolicy,
	spec *admissionregistrationv1.ValidatingAdmissionPolicySpec,
) {
	t.Helper()
	live := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(policy), live); err != nil {
		t.Fatal(err)
	}
	live.Spec = *spec
	if err := c.Update(t.Context(), live); err != nil {
		t.Fatalf("%s: %v", policy.Name, err)
	}
	if err := takenUp(t.Context()); err != nil {
		t.Fatal(err)
	}
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
