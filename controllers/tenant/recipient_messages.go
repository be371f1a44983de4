// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// openMessage says what was done, and no more: the operator has no way to ask a gateway.
func openMessage(open []desired.Recipient) string {
	if len(open) == 0 {
		return "No recipient is effective; every egress gateway is ready and was told to refuse all"
	}
	names := make([]string, len(open))
	for i, r := range open {
		names[i] = r.Name
	}
	return "Every egress gateway is ready and was told to open these alone: " + strings.Join(names, ", ")
}

// upcoming lists what becomes effective by itself, the next first.
func upcoming(list []v1alpha1.SubProcessorStatus) string {
	var changes []string
	for _, r := range list {
		if r.State == v1alpha1.RecipientPending && r.ExpectedFrom != "" {
			changes = append(changes, fmt.Sprintf("%s %s", r.ExpectedFrom, r.Name))
		}
	}
	if len(changes) == 0 {
		return ""
	}
	slices.Sort(changes)
	return ". To become effective: " + strings.Join(changes, ", ")
}

// announceRecipients emits an event for each recipient whose state, or expected day, changed.
func (r *Reconciler) announceRecipients(s *scope) {
	before := map[string]v1alpha1.SubProcessorStatus{}
	for _, old := range s.tenant.Status.SubProcessors {
		before[old.Name] = old
	}
	for _, now := range s.status.SubProcessors {
		old, known := before[now.Name]
		if known && old.State == now.State && old.ExpectedFrom == now.ExpectedFrom {
			continue
		}
		r.Recorder.Eventf(s.tenant, nil, corev1.EventTypeNormal, "Recipient"+string(now.State), "Reconcile", "%s",
			stateMessage(now))
	}
}

func stateMessage(r v1alpha1.SubProcessorStatus) string {
	message := fmt.Sprintf("SubProcessor %q is %s: %s", r.Name, r.State, r.Reason)
	if r.Because != "" {
		message += fmt.Sprintf(" (%s)", r.Because)
	}
	if r.ExpectedFrom != "" {
		message += fmt.Sprintf("; it becomes effective on %s unless somebody objects", r.ExpectedFrom)
	}
	return message
}
