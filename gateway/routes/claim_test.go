// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

func TestOnlyWhatDecidesARouteIsKept(t *testing.T) {
	when := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	claim := v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{
			Name: "acme", UID: "1", ResourceVersion: "5", CreationTimestamp: when, DeletionTimestamp: &when,
		},
		Spec: v1alpha1.ChatTenantSpec{Endpoint: v1alpha1.Endpoint{Host: "chat.acme.example"}},
	}
	full := claim.DeepCopy()
	full.Labels = map[string]string{"a": "b"}
	full.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "someone"}}
	full.Spec.DisplayName = "Acme"
	full.Spec.Endpoint.AllowedOrigins = []v1alpha1.Origin{"https://www.acme.example"}
	full.Status.Namespace = "elsewhere"
	got, err := keepClaim(full)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&claim, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
