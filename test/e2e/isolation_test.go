// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// awaitIsolation waits until the tenant's isolation is known to be so.
func awaitIsolation(t *testing.T, tenant string, status metav1.ConditionStatus, reason string) *v1alpha1.ChatTenant {
	t.Helper()
	var found *v1alpha1.ChatTenant
	eventually(t, probePatience, "IsolationVerified to be "+string(status)+" for "+reason, func(context.Context) error {
		found = getTenant(t, tenant)
		c := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionIsolationVerified)
		if c == nil || c.Status != status || c.Reason != reason {
			return errors.New(conditionText(c))
		}
		return nil
	})
	return found
}

// TestATenantIsVerifiedAfterItsCreation looks at what the probes inside a new tenant said.
func TestATenantIsVerifiedAfterItsCreation(t *testing.T) {
	tenant := createOnce(t, newTenant("fresh"))
	status := awaitIsolation(t, tenant.Name, metav1.ConditionTrue, v1alpha1.ReasonIsolated).Status.Isolation
	if status.Tried != status.Refused+status.Open || status.Refused < 30 || status.Open < 1 || len(status.Holes) != 0 {
		t.Errorf("isolation = %+v, want dozens of refusals and the way to the database", status)
	}
	t.Logf("%d tried, %d refused, %d open", status.Tried, status.Refused, status.Open)
	eventually(t, patience, "the finished probes are gone", func(ctx context.Context) error {
		return live.noProbes(ctx, client.InNamespace(naming.Namespace(tenant.Name)))
	})
}

// TestEveryTenantKnowsItselfIsolated reads what the probes inside the tenants of the matrix say by themselves.
func TestEveryTenantKnowsItselfIsolated(t *testing.T) {
	tenants := []string{acme, globex}
	if fullProof() {
		tenants = residents(t)
	}
	for _, tenant := range tenants {
		t.Run(tenant, func(t *testing.T) {
			r := record(t, sectionMatrix, "the probe inside "+tenant)
			status := awaitIsolation(t, tenant, metav1.ConditionTrue, v1alpha1.ReasonIsolated).Status.Isolation
			r.add(row{
				Tried: int(status.Tried), Refused: int(status.Refused), Open: int(status.Open), Result: v1alpha1.ReasonIsolated,
			})
		})
	}
}

// TestAHoleIsFoundAndNamedByTheNextProbe opens one on purpose: a policy beside the operator's own lets the tenant's
// database out to everyone. Once it is gone, the tenant is found closed again.
func TestAHoleIsFoundAndNamedByTheNextProbe(t *testing.T) {
	tenant := withNeighbour(t)
	before := awaitIsolation(t, tenant.Name, metav1.ConditionTrue, v1alpha1.ReasonIsolated).Status.Isolation
	suspendPolicies(t, policyObjects)
	hole := &networkingv1.NetworkPolicy{
		ObjectMeta: object(naming.Namespace(tenant.Name), "hole"),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{
				MatchLabels: map[string]string{v1alpha1.LabelNetworkRole: string(isolation.Postgres)},
			},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{}},
		},
	}
	temporarily(t, hole)

	found := awaitIsolation(t, tenant.Name, metav1.ConditionFalse, v1alpha1.ReasonHoleFound)
	if found.Status.Isolation.PoliciesDigest == before.PoliciesDigest {
		t.Error("the verdict does not name the policies it was made under")
	}
	for _, named := range found.Status.Isolation.Holes {
		if !strings.HasPrefix(named, string(isolation.Postgres)+" -> ") {
			t.Errorf("named %q, which was not opened", named)
		}
	}
	t.Logf("found: %s", strings.Join(found.Status.Isolation.Holes, ", "))
	r := record(t, sectionMatrix, "the probe inside a tenant, with a hole opened on purpose")
	r.opened("%s: %d connections named", v1alpha1.ReasonHoleFound, len(found.Status.Isolation.Holes))

	if err := live.Delete(t.Context(), hole); err != nil {
		t.Fatalf("close the hole: %v", err)
	}
	awaitIsolation(t, tenant.Name, metav1.ConditionTrue, v1alpha1.ReasonIsolated)
}
