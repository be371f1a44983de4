// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/policy"
)

func effective(name string) v1alpha1.SubProcessorStatus {
	return v1alpha1.SubProcessorStatus{
		Name: name, State: v1alpha1.RecipientEffective,
		Endpoints: []v1alpha1.RecipientEndpoint{{Host: name + ".example", Port: 443}},
	}
}

// found is a pass whose status, as it is stored, says one thing, and whose decision another.
func found(stored, decided []v1alpha1.SubProcessorStatus) *scope {
	return &scope{
		tenant: &v1alpha1.ChatTenant{Status: v1alpha1.ChatTenantStatus{SubProcessors: stored}},
		facts:  policy.Input{Recipients: policy.Recipients{List: decided, Declared: len(decided) > 0}},
	}
}

func TestNothingIsOpenedThatTheStatusCannotTellOf(t *testing.T) {
	mail, store := effective("mail"), effective("store")
	s := found([]v1alpha1.SubProcessorStatus{mail}, []v1alpha1.SubProcessorStatus{mail, store})
	if open := s.openRecipients(); len(open) != 1 || open[0].Name != "mail" || !s.unrecorded() {
		t.Errorf("open: %+v, something waits: %t", open, s.unrecorded())
	}
	s = found([]v1alpha1.SubProcessorStatus{mail, store}, []v1alpha1.SubProcessorStatus{mail, store})
	if open := s.openRecipients(); len(open) != 2 || s.unrecorded() {
		t.Errorf("open: %+v, something waits: %t", open, s.unrecorded())
	}
}

func TestClosingDoesNotWaitForTheStatus(t *testing.T) {
	mail, gone := effective("mail"), effective("mail")
	gone.State = v1alpha1.RecipientObjected
	s := found([]v1alpha1.SubProcessorStatus{mail}, []v1alpha1.SubProcessorStatus{gone})
	if open := s.openRecipients(); len(open) != 0 || s.unrecorded() {
		t.Errorf("open: %+v, something waits: %t", open, s.unrecorded())
	}
}

// TestAGatewayStaysWhileOneWithEndpointsIsUsed: to take it away and back would restart the chat server.
func TestAGatewayStaysWhileOneWithEndpointsIsUsed(t *testing.T) {
	pending := effective("mail")
	pending.State = v1alpha1.RecipientPending
	s := found(nil, []v1alpha1.SubProcessorStatus{pending})
	if s.egressInput() != nil {
		t.Error("a gateway is made for one that is not effective")
	}
	s.egress = &appsv1.Deployment{}
	if egress := s.egressInput(); egress == nil || len(egress.Recipients) != 0 {
		t.Errorf("the gateway that is there: %+v", egress)
	}
	s.facts.Recipients.Declared = false
	if s.egressInput() != nil {
		t.Error("the gateway stays though nothing is declared any more")
	}
}
