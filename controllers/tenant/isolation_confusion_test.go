// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestNoProbeIsStartedWhileNothingIsThereToBeOpen: what it found closed could be a pod without any network.
func TestNoProbeIsStartedWhileNothingIsThereToBeOpen(t *testing.T) {
	startOperator(t)
	starting(t, "uncontrolled")
	wantIsolation(t, "uncontrolled", metav1.ConditionUnknown, v1alpha1.ReasonProbeWaiting, "PostgreSQL")
	if left := probesLeft(t, "uncontrolled"); left != "" {
		t.Error(left)
	}
	readyPod(t, "uncontrolled", naming.Postgres, "10.244.11.1", true)
	for _, job := range probesOf(t, "uncontrolled") {
		carryOut(t, &job, asPlanned())
	}
	before := wantIsolation(t, "uncontrolled", metav1.ConditionTrue, v1alpha1.ReasonIsolated, "").Status.Isolation
	if before.Open == 0 {
		t.Error("nothing was there to be open")
	}
	eventually(t, "the finished probes to be removed", func() string { return probesLeft(t, "uncontrolled") })

	// PostgreSQL restarts while probes are due once more: what is known stands, and says that it is of earlier policies.
	readyPod(t, "uncontrolled", naming.Postgres, "10.244.11.1", false)
	create(t, allowAll("uncontrolled"))
	wantIsolation(t, "uncontrolled", metav1.ConditionUnknown, v1alpha1.ReasonProbePending, "policies changed")
	// That was written at the end of a pass that started none. One that knows of nothing else starts none either.
	change(t, "uncontrolled", func(s *v1alpha1.ChatTenantSpec) { s.DeletionPolicy = v1alpha1.DeletionDelete })
	eventually(t, "another pass to end", func() string {
		if live := liveTenant(t, "uncontrolled"); live.Status.ObservedGeneration != live.Generation {
			return "not yet"
		}
		return ""
	})
	if left := probesLeft(t, "uncontrolled"); left != "" {
		t.Error(left)
	}
	readyPod(t, "uncontrolled", naming.Postgres, "10.244.11.1", true)
	probesOf(t, "uncontrolled")
}

// TestAPodThatOnlyLooksLikeAProbesIsNotBelieved: its message says that all is well, and its Job did not make it.
func TestAPodThatOnlyLooksLikeAProbesIsNotBelieved(t *testing.T) {
	startOperator(t)
	running(t, "forged")
	jobs := probesOf(t, "forged")
	for i := range jobs {
		forgery := jobs[i].DeepCopy()
		forgery.UID = types.UID("11111111-2222-3333-4444-55555555555" + string(rune('0'+i)))
		endedPod(t, forgery, asPlanned())
		finish(t, &jobs[i], batchv1.JobComplete, batchv1.JobSuccessCriteriaMet, "")
	}
	wantIsolation(t, "forged", metav1.ConditionUnknown, v1alpha1.ReasonProbeFailed, "pod is gone")
}

// TestAForgedRecordOpensNoRecipient: the status is what the operator remembers, not what it decides by.
func TestAForgedRecordOpensNoRecipient(t *testing.T) {
	startOperator(t)
	sendingPlatform(t)
	soon := v1alpha1.Date(time.Now().AddDate(0, 0, 40).UTC().Format(time.DateOnly))
	today := v1alpha1.Date(time.Now().UTC().Format(time.DateOnly))
	create(t, recipient("forged-relay", today, soon, "DE"))
	tenant := sendingTenant("recorded", "forged-relay")
	create(t, tenant)
	wantState(t, "recorded", "forged-relay", v1alpha1.RecipientPending, v1alpha1.RecipientNotYetEffective)
	live := liveTenant(t, "recorded")
	base := client.MergeFrom(live.DeepCopy())
	long := metav1.NewTime(time.Now().AddDate(-1, 0, 0).Truncate(time.Second))
	live.Status.SubProcessors[0].State = v1alpha1.RecipientEffective
	live.Status.SubProcessors[0].Reason = v1alpha1.RecipientInEffect
	live.Status.SubProcessors[0].Since = &long
	live.Status.SubProcessors[0].Endpoints = []v1alpha1.RecipientEndpoint{{Host: "elsewhere.example", Port: 443}}
	if err := admin.Status().Patch(t.Context(), live, base); err != nil {
		t.Fatal(err)
	}
	report(t, "recorded")
	change(t, "recorded", func(s *v1alpha1.ChatTenantSpec) { s.DisplayName = "again" })
	wantState(t, "recorded", "forged-relay", v1alpha1.RecipientPending, v1alpha1.RecipientNotYetEffective)
	mustNotExist(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace("recorded"), Name: naming.Egress}})
	if strings.Contains(story(t, "recorded"), "forged-relay is open") {
		t.Error(story(t, "recorded"))
	}
}
