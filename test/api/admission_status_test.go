// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	ownRecord     = "the status of a ChatTenant is the ChatTenant operator's own record"
	whatWasFound  = "only Kubernetes' own controllers, kubelets and cert-manager write it"
	anyGeneration = `{"status":{"observedGeneration":1}}`
)

func TestOnlyTheOperatorWritesTheStatusOfATenant(t *testing.T) {
	c, tenant := adminClient(t), manifest(t, "chattenant")
	stored := ensure(t, c, tenant)
	var rows []permission
	for what, status := range map[string]string{
		"say that it is isolated":      `{"isolation":{"tried":9,"refused":9,"planDigest":"` + a(64) + `"}}`,
		"say whom it was told of":      `{"subProcessors":[]}`,
		"say which keys were made":     `{"encryption":{"provider":"Secret","keyGeneration":1}}`,
		"announce a key":               `{"announcedKeyGeneration":1}`,
		"say that it has a namespace":  `{"namespace":"chat-acme"}`,
		"say what was observed of it":  `{"observedGeneration":1}`,
		"say that nothing is the case": `null`,
	} {
		try := patchingSubresource(stored, "status", `{"status":`+status+`}`)
		rows = append(rows, permission{what, try, []string{operator}, ownRecord})
	}
	// A status that is not valid shows nothing: leave those out that the operator could not write either.
	rows = slices.DeleteFunc(rows, func(p permission) bool { return p.try(t.Context(), as(t, operator)) != nil })
	if len(rows) < 5 {
		t.Fatalf("only %d statuses are valid", len(rows))
	}
	testMatrix(t, rows)
}

func TestWhatTheClusterFoundIsWrittenByWhoFoundIt(t *testing.T) {
	inTenantNamespace(t)
	pod, deployment := newObject("v1", "Pod", "chatserver-1"), newObject("apps/v1", "Deployment", "chatserver")
	certificate := newObject("cert-manager.io/v1", "Certificate", "endpoint")
	verdict := `{"status":{"message":"forged"}}`
	testMatrix(t, []permission{
		{"a workload's", patchingSubresource(deployment, "status", anyGeneration), kubernetes, whatWasFound},
		{"a pod's", patchingSubresource(pod, "status", verdict), append([]string{kubelet}, kubernetes...), whatWasFound},
		{"a certificate's", patchingSubresource(certificate, "status", `{"status":{"revision":1}}`),
			append([]string{certManager}, kubernetes...), whatWasFound},
		{"a claim's, as volume drivers do", patchingSubresource(newObject("v1", "PersistentVolumeClaim", "data-postgres-0"),
			"status", `{"status":{"phase":"Pending"}}`), everybody, ""},
	})
}

// TestWhatAQuotaBoundsIsCountedByTheAPIServer itself, in the quota's status, whenever somebody makes something.
func TestWhatAQuotaBoundsIsCountedByTheAPIServer(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, operator)
	quota := newObject("v1", "ResourceQuota", "counted")
	quota.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "chattenant"})
	bound := map[string]any{"hard": map[string]any{"configmaps": "1000"}}
	quota.Object["spec"] = bound
	if err := c.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(t.Context()), quota); err != nil {
			t.Error(err)
		}
	})
	empty := `{"status":{"hard":{"configmaps":"1000"},"used":{"configmaps":"0"}}}`
	controller := as(t, "system:serviceaccount:kube-system:resourcequota-controller")
	patch := client.RawPatch("application/merge-patch+json", []byte(empty))
	if err := controller.Status().Patch(t.Context(), quota, patch); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, patchingSubresource(quota, "status", empty)(t.Context(), as(t, addOn)), whatWasFound)
	// It learns of the quota by watching.
	n := 0
	err := poll(t.Context(), func(ctx context.Context) (bool, error) {
		n++
		ensure(t, c, newObject("v1", "ConfigMap", fmt.Sprintf("counted-%d", n)))
		if err := c.Get(ctx, client.ObjectKeyFromObject(quota), quota); err != nil {
			return false, err
		}
		used, _, err := unstructured.NestedString(quota.Object, "status", "used", "configmaps")
		return used != "0", err
	})
	if err != nil {
		t.Errorf("nobody counts: %v", err)
	}
}
