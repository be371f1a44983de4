// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestAPausedTenantIsLeftAsItIsAndServesOn(t *testing.T) {
	withNeighbour(t)
	suspendPolicies(t, policyObjects)
	t.Cleanup(func() {
		if err := live.changeTenant(context.Background(), neighbour, reconcile(v1alpha1.ReconciliationActive)); err != nil {
			t.Errorf("wake tenant %s: %v", neighbour, err)
		}
	})
	changeTenant(t, neighbour, reconcile(v1alpha1.ReconciliationPaused))
	awaitCondition(t, neighbour, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPausedBySpec)

	reader, before := newMetricsReader(t), 0
	eventually(t, patience, "the operator's metrics are read", func(context.Context) (err error) {
		before, err = reader.reconciles(t)
		return err
	})
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace(neighbour), Name: naming.ChatServer,
	}}
	if err := live.Delete(t.Context(), budget); err != nil {
		t.Fatalf("delete the disruption budget by hand: %v", err)
	}
	awaitPass(t, reader, before)
	steadily(t, settled, "nothing is repaired", func(ctx context.Context) error {
		if err := live.Get(ctx, client.ObjectKeyFromObject(budget), budget); err == nil {
			return errors.New("the budget is back")
		}
		return nil
	})
	converse(t, neighbour, "Are you there although you are paused")

	changeTenant(t, neighbour, reconcile(v1alpha1.ReconciliationActive))
	eventually(t, patience, "the budget is back", func(ctx context.Context) error {
		return live.Get(ctx, client.ObjectKeyFromObject(budget), budget)
	})
	awaitReady(t, neighbour)
}

func reconcile(how v1alpha1.Reconciliation) func(*v1alpha1.ChatTenant) {
	return func(tenant *v1alpha1.ChatTenant) { tenant.Spec.Reconciliation = how }
}
