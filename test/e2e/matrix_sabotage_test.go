// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// TestWithoutItsPoliciesATenantIsOpen takes the tenant's network policies away and looks whether the same probes that
// find it closed now find it open. If they did not, the matrix would prove nothing.
func TestWithoutItsPoliciesATenantIsOpen(t *testing.T) {
	withNeighbour(t)
	with := newProber(t)
	own, its := tenantSources(t, neighbour), tenantTargets(t, neighbour)
	outward := pairs(own, slices.Concat(apiServerTargets(t), outsideTargets(t)))
	inward := pairs(unheldSources(t), its)
	suspendPolicies(t, policyObjects)
	// Who comes next must find the tenant as it was: the policies are there before the network holds to them.
	t.Cleanup(func() { awaitEnforced(t, with, slices.Concat(outward, inward, pairs(own, its))) })
	suspendOperator(t)
	deletePolicies(t, naming.Namespace(neighbour))

	eventually(t, patience, "every probe of the unprotected tenant finds it open", func(context.Context) error {
		for _, probes := range [][]probe{outward, inward} {
			tryAll(t, with, probes)
			for i := range probes {
				if !probes[i].verdict.isOpen() {
					return errors.New(probes[i].String())
				}
			}
		}
		return nil
	})
	made := len(outward) + len(inward)
	record(t, sectionMatrix, "the same probes, with the tenant's policies taken away").
		add(row{Tried: made, Open: made, Result: "what is closed is closed by the policies"})
	t.Logf("%d connections that are refused otherwise were made", made)
}

// suspendOperator lets nobody repair anything until the test ends.
func suspendOperator(t *testing.T) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: systemNamespace, Name: operatorAccount}
	if err := live.Get(t.Context(), key, deployment); err != nil {
		t.Fatal(err)
	}
	replicas := deployment.Spec.Replicas
	if err := live.scale(t.Context(), deployment, ptr.To[int32](0)); err != nil {
		t.Fatalf("stop the operator: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startPatience)
		defer cancel()
		if err := live.scale(ctx, deployment, replicas); err != nil {
			t.Errorf("start the operator: %v", err)
		}
	})
	// One that is on its way out still repairs.
	eventually(t, patience, "no operator is left", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		err := live.List(ctx, pods, client.InNamespace(systemNamespace), named(operatorAccount))
		if err != nil || len(pods.Items) > 0 {
			return errors.Join(err, fmt.Errorf("there are %d", len(pods.Items)))
		}
		return nil
	})
}

func (c *cluster) scale(ctx context.Context, deployment *appsv1.Deployment, replicas *int32) error {
	now := &appsv1.Deployment{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(deployment), now); err != nil {
		return err
	}
	scaled := now.DeepCopy()
	scaled.Spec.Replicas = replicas
	return c.Patch(ctx, scaled, client.MergeFrom(now))
}

// awaitEnforced waits until connections are open and closed as they must be.
func awaitEnforced(t *testing.T, with prober, probes []probe) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	err := poll(ctx, func(ctx context.Context) error {
		if err := tryEach(ctx, with, probes); err != nil {
			return err
		}
		for i := range probes {
			if p := &probes[i]; !p.asWanted() {
				return fmt.Errorf("must be %s: %s", opposite(p), p)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("the started operator did not repair what was broken: %v", err)
	}
}

func deletePolicies(t *testing.T, namespace string) {
	t.Helper()
	err := live.DeleteAllOf(t.Context(), &networkingv1.NetworkPolicy{}, client.InNamespace(namespace))
	if err != nil {
		t.Fatalf("delete the policies of %s: %v", namespace, err)
	}
}

// unheldSources are the pods whose own way out no policy restricts.
func unheldSources(t *testing.T) []source {
	t.Helper()
	controls := controlSources(t)
	return slices.DeleteFunc(controls, func(s source) bool { return s.component == nodeComponent })
}
