// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"

	"github.com/chattenant/chattenant/test/podsecurity"
)

// fixtures are upstream's own cases of the level restricted: pods that it must refuse, and pods that it must not.
func fixtures(t *testing.T, says podsecurity.Verdict) map[string]*unstructured.Unstructured {
	t.Helper()
	found, err := podsecurity.Fixtures(t.Context(), serverVersion(t), says)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func serverVersion(t *testing.T) *version.Version {
	t.Helper()
	c, err := discovery.NewDiscoveryClientForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	return version.MustParseGeneric(info.GitVersion)
}

// TestEveryPodThatRestrictedRefusesIsRefusedInATenantsNamespace gives each of upstream's bad pods what our own policies
// ask for, so that Pod Security alone has something to say.
func TestEveryPodThatRestrictedRefusesIsRefusedInATenantsNamespace(t *testing.T) {
	inTenantNamespace(t)
	bad := fixtures(t, podsecurity.Refused)
	if len(bad) < 50 {
		t.Errorf("only %d fixtures", len(bad))
	}
	t.Logf("%d pods", len(bad))
	for name, pod := range bad {
		t.Run(name, func(t *testing.T) {
			err := creation(changed(t, pod, asATenants...))(t.Context(), as(t, replicaSets))
			// Two contradict themselves, which the API server says first.
			if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "procMount") {
				return
			}
			wantRefusal(t, err, `violates PodSecurity "restricted:latest"`)
		})
	}
}

// TestEveryPodThatRestrictedAllowsIsHeldToOurPoliciesOnly shows that the same changes make no good pod bad, and that
// without them ours refuse it.
func TestEveryPodThatRestrictedAllowsIsHeldToOurPoliciesOnly(t *testing.T) {
	inTenantNamespace(t)
	good := fixtures(t, podsecurity.Admitted)
	if len(good) < 10 {
		t.Errorf("only %d fixtures", len(good))
	}
	t.Logf("%d pods", len(good))
	for name, pod := range good {
		t.Run(name, func(t *testing.T) {
			err := creation(changed(t, pod, asATenants...))(t.Context(), as(t, replicaSets))
			if err != nil {
				t.Errorf("as a tenant's: %v", err)
			}
			err = creation(changed(t, pod, set("metadata.namespace", "chat-acme"),
				set("metadata.name", "fixture")))(t.Context(), as(t, replicaSets))
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'chattenant-") ||
				strings.Contains(err.Error(), "PodSecurity") {
				t.Errorf("as it is: %v", err)
			}
		})
	}
}

// asATenants are what our policies ask of a pod.
var asATenants = []change{
	set("metadata.namespace", "chat-acme"), set("metadata.name", "fixture"),
	set("spec.serviceAccountName", "chatserver"), set("spec.automountServiceAccountToken", false),
	set("spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
		terms(demand(regionLabel, "In", "eu-central"))),
	withoutDrivers,
}

// withoutDrivers takes the volumes away that only Pod Security allows.
func withoutDrivers(t *testing.T, pod *unstructured.Unstructured) {
	t.Helper()
	volumes, _, err := unstructured.NestedSlice(pod.Object, "spec", "volumes")
	if err != nil {
		t.Fatal(err)
	}
	volumes = slices.DeleteFunc(volumes, func(v any) bool {
		volume, is := v.(map[string]any)
		return is && (volume["csi"] != nil || volume["ephemeral"] != nil || volume["image"] != nil)
	})
	if len(volumes) > 0 {
		set("spec.volumes", volumes)(t, pod)
	}
}
