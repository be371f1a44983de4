// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// recipients runs the egress gateway, where there is something to open, and tells it what is effective now.
func (r *Reconciler) recipients(ctx context.Context, s *scope) (outcome, error) {
	in := r.input(s)
	if in.Egress == nil {
		if err := r.removeGateway(ctx, s); err != nil {
			return outcome{}, err
		}
		return s.recipientsOutcome(outcome{done, v1alpha1.ReasonNothingReachable,
			"No recipient is reachable: there is no way out of the namespace"}), nil
	}
	if s.egress == nil && !adopting(s) {
		if foreign, err := r.foreignCertificateSecret(ctx, s, desired.EgressGateway(in)); foreign != nil || err != nil {
			return ptr.Deref(foreign, outcome{}), err
		}
	}
	written, err := r.applyAll(ctx, s, desired.EgressGateway(in)...)
	if err != nil {
		return outcome{}, err
	}
	told, err := r.tellGateways(ctx, s, desired.EgressRevision(in))
	if err != nil {
		return outcome{}, err
	}
	switch {
	case written || !deploymentAvailable(s.egress):
		return diagnose(s, naming.Egress, "The egress gateway is starting"), nil
	case !told:
		return outcome{waiting, v1alpha1.ReasonEgressUpdating, "The egress gateway is being told what is effective now"}, nil
	}
	return s.recipientsOutcome(outcome{done, v1alpha1.ReasonRecipientsEnforced, openMessage(in.Egress.Recipients)}), nil
}

// closeRecipients keeps what is not effective closed while something else keeps the tenant from being worked on: a
// class that is gone does not make an objection wait.
func (r *Reconciler) closeRecipients(ctx context.Context, s *scope) error {
	ns := s.facts.Namespace
	if s.egress == nil || ns == nil || !ns.DeletionTimestamp.IsZero() || !policy.Owns(s.tenant, ns) {
		return nil
	}
	in := r.input(s)
	if _, err := r.Applier.Apply(ctx, desired.EgressConfig(in)); err != nil {
		return fmt.Errorf("close recipients: %w", err)
	}
	_, err := r.tellGateways(ctx, s, desired.EgressRevision(in))
	return err
}

// noticeWhilePaused says that the network lags behind what is declared: pausing holds closing up as well as opening.
func (r *Reconciler) noticeWhilePaused(s *scope) {
	s.wakeAtNextDay(r.Clock.Now())
	now, then := policy.Reachable(s.facts.Recipients.List), policy.Reachable(s.tenant.Status.SubProcessors)
	if s.egress == nil && len(now) == 0 || slices.EqualFunc(now, then, sameRecipient) {
		return
	}
	s.outcomes[v1alpha1.ConditionSubProcessorsEnforced] = outcome{stalled, v1alpha1.ReasonPausedBySpec,
		"What is effective changed while the tenant is paused, and the egress gateway was not told. Set " +
			"spec.reconciliation to Active"}
}

func sameRecipient(a, b v1alpha1.SubProcessorStatus) bool { return a.Name == b.Name }

// wakeAtNextDay asks for a pass when what is effective changes by itself.
func (s *scope) wakeAtNextDay(now time.Time) {
	if next := s.facts.Recipients.Next; !next.IsZero() {
		s.requeue(min(next.Sub(now), longestWait))
	}
}

// longestWait is how long the operator trusts its timers: a clock may be set while one runs.
const longestWait = 6 * time.Hour

// removeGateway removes what pruning does not: the certificates' Secrets, which cert-manager leaves behind. The
// Certificates go first, or it would issue them anew.
func (r *Reconciler) removeGateway(ctx context.Context, s *scope) error {
	for _, name := range desired.EgressSecretNames() {
		certificate := s.certificates[name]
		if certificate == nil {
			continue
		}
		if err := r.Applier.Delete(ctx, certificate); err != nil {
			return err
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: name}}
		if err := r.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete secret %s/%s: %w", s.namespace(), name, err)
		}
	}
	return nil
}

// recipientsOutcome is the first thing that a human has to put right, else what was found.
func (s *scope) recipientsOutcome(found outcome) outcome {
	if s.unrecorded() {
		return outcome{waiting, v1alpha1.ReasonEgressUpdating, "A recipient is recorded as effective before it is opened"}
	}
	for _, problem := range []func(*scope) *outcome{unknownRecipient, outsideRecipient, undeclaredHost} {
		if result := problem(s); result != nil {
			return *result
		}
	}
	found.message += upcoming(s.facts.Recipients.List)
	return found
}

func unknownRecipient(s *scope) *outcome {
	for _, r := range s.facts.Recipients.List {
		switch {
		case r.Reason == v1alpha1.RecipientRecordMissing:
			return &outcome{stalled, v1alpha1.ReasonRecipientNotFound, fmt.Sprintf(
				"spec.subProcessors.use names %q, and there is no such SubProcessor: it stays closed. Create it, or take it out",
				r.Name)}
		case r.Reason == v1alpha1.RecipientChainBroken && r.State == v1alpha1.RecipientPending:
			return &outcome{stalled, v1alpha1.ReasonRecipientNotFound, fmt.Sprintf(
				"The chain of parents of SubProcessor %q breaks at %q, which is missing or leads in a circle: it stays closed. "+
					"Correct the chain, or take it out of spec.subProcessors.use", r.Name, r.Because)}
		}
	}
	return nil
}

func outsideRecipient(s *scope) *outcome {
	for _, r := range s.facts.Recipients.List {
		if r.Reason == v1alpha1.RecipientOutside {
			return &outcome{stalled, v1alpha1.ReasonRecipientOutside, policy.OutsideMessage(r, s.tenant) +
				": it stays closed. Take it out of spec.subProcessors.use, or correct spec.residency"}
		}
	}
	return nil
}

// undeclaredHost finds a host that the chat server needs and that no effective recipient covers.
func undeclaredHost(s *scope) *outcome {
	needs, err := policy.Needs(s.tenant)
	if err != nil {
		return &outcome{stalled, v1alpha1.ReasonKeyInvalid, fmt.Sprintf("Correct %v", err)}
	}
	if missing := policy.Uncovered(needs, s.facts.Recipients.List); len(missing) > 0 {
		result := s.undeclared(missing)
		return &result
	}
	return nil
}
