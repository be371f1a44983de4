// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// progress is how far a phase has come.
type progress int

const (
	// done: what the phase stands for holds.
	done progress = iota
	// waiting: it will hold by itself.
	waiting
	// stalled: a human has to act; the message says how.
	stalled
	// unproved: nobody can say yet, and nothing else waits for it. The condition is Unknown.
	unproved
)

// holdsUp says whether something waits for the phase: the next phase, or the tenant's readiness.
func (p progress) holdsUp() bool { return p == waiting || p == stalled }

// outcome is what a phase found.
type outcome struct {
	progress        progress
	reason, message string
}

// phase brings one part of a tenant about and says how far it has come.
type phase struct {
	// condition is the condition type that reports the phase.
	condition string
	// begun says whether the phase's objects exist already: from then on the phase is run on every pass, so that hand
	// edits are repaired even while an earlier phase is not done.
	begun func(*scope) bool
	run   func(*Reconciler, context.Context, *scope) (outcome, error)
}

// phases in their order, which is a security property: no pod before its guardrails, no data before its key, no
// listener before its certificate. Each waits for the one before, once.
var phases = []phase{
	{v1alpha1.ConditionGuardrailsInPlace, always, (*Reconciler).guardrails},
	{v1alpha1.ConditionEncryptionReady, keyExists, (*Reconciler).encryption},
	{v1alpha1.ConditionCertificatesReady, certificatesExist, (*Reconciler).certificates},
	{v1alpha1.ConditionDatabaseReady, databaseExists, (*Reconciler).databasePhase},
	{v1alpha1.ConditionSubProcessorsEnforced, waysOutExist, (*Reconciler).recipients},
	{v1alpha1.ConditionChatServerReady, chatServerExists, (*Reconciler).chatServerPhase},
	{v1alpha1.ConditionEndpointReady, chatServerExists, (*Reconciler).endpoint},
	{v1alpha1.ConditionPlacementVerified, chatServerExists, (*Reconciler).placement},
	{v1alpha1.ConditionIsolationVerified, chatServerExists, (*Reconciler).isolationPhase},
}

func always(*scope) bool              { return true }
func keyExists(s *scope) bool         { return s.status.Encryption != nil }
func certificatesExist(s *scope) bool { return len(s.certificates) > 0 }
func databaseExists(s *scope) bool    { return s.database != nil }
func chatServerExists(s *scope) bool  { return s.chatServer != nil }

// waysOutExist: what was opened is closed in time, whatever else is not done.
func waysOutExist(s *scope) bool { return s.egress != nil || s.chatServer != nil }

// run decides about recipients, checks the prerequisites, runs the phases and prunes what no phase wants any more.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	s.status.SubProcessors = s.facts.Recipients.List
	s.wakeAtNextDay(r.Clock.Now())
	if s.unrecorded() {
		s.requeue(soon)
	}
	if s.violation = policy.FirstViolation(policy.Prerequisites, s.facts); s.violation != nil {
		if s.violation.Reason == v1alpha1.ReasonHostTaken {
			// The gateway sends its visitors elsewhere, whatever runs here.
			s.outcomes[v1alpha1.ConditionEndpointReady] = outcome{stalled, s.violation.Reason, s.violation.Message}
		}
		return r.closeRecipients(ctx, s)
	}
	s.status.Namespace = s.namespace()
	complete, err := r.runPhases(ctx, s)
	if _, evaluated := s.outcomes[v1alpha1.ConditionSubProcessorsEnforced]; !evaluated {
		err = errors.Join(err, r.closeRecipients(ctx, s))
	}
	if err != nil || !complete {
		return err
	}
	_, err = r.Applier.Prune(ctx, s.namespace(), s.tenant.UID, apply.KeepIntents(s.applied))
	return err
}

// runPhases answers whether every phase was run and said what it wants, so that what was not applied is known to be
// unwanted.
func (r *Reconciler) runPhases(ctx context.Context, s *scope) (bool, error) {
	var errs []error
	blockedBy, complete := "", true
	for _, p := range phases {
		if blockedBy != "" && !p.begun(s) {
			s.outcomes[p.condition] = notEvaluated(blockedBy)
			complete = false
			continue
		}
		result, err := p.run(r, ctx, s)
		if err != nil {
			result = failed(err)
			errs, complete = append(errs, fmt.Errorf("%s: %w", p.condition, err)), false
		}
		s.outcomes[p.condition] = result
		if result.progress.holdsUp() && blockedBy == "" {
			blockedBy = p.condition
		}
		if blockedBy == v1alpha1.ConditionGuardrailsInPlace {
			complete = false
			break
		}
	}
	return complete && !s.undecided, errors.Join(errs...)
}

func notEvaluated(blockedBy string) outcome {
	return outcome{waiting, v1alpha1.ReasonNotEvaluated, "Waits for " + blockedBy}
}

// failed hides a raw error from users: it goes to the log, and is retried. A conflict is no failure, only a pass that
// has to be repeated.
func failed(err error) outcome {
	if apierrors.IsConflict(err) {
		return outcome{waiting, v1alpha1.ReasonProgressing, "An object changed meanwhile; trying again"}
	}
	if object, found := refused(err); found {
		return outcome{stalled, v1alpha1.ReasonObjectRefused, fmt.Sprintf(
			"The API server does not let the operator change %s in the tenant's namespace to what it must be: somebody else "+
				"made it, with something that can never be changed. Find out who, then delete it; the operator makes it anew",
			object)}
	}
	return outcome{waiting, v1alpha1.ReasonInternalError,
		"A request to the Kubernetes API failed and is being retried; the operator's log has the error"}
}

// applyAll applies intents in their order and answers whether anything had to be written.
func (r *Reconciler) applyAll(ctx context.Context, s *scope, intents ...desired.Object) (bool, error) {
	written := false
	for _, intent := range intents {
		s.applied = append(s.applied, intent)
		changed, err := r.Applier.Apply(ctx, intent)
		if err != nil {
			return written, err
		}
		written = written || changed
	}
	return written, nil
}
