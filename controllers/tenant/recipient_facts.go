// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// +kubebuilder:rbac:groups=chattenant.io,resources=subprocessors,verbs=get;list;watch

// gatherRecipients reads the records that concern the tenant and decides what they are to it at this moment.
func (r *Reconciler) gatherRecipients(ctx context.Context, s *scope) error {
	records, err := r.records(ctx, recipientNames(s.tenant, s.facts.Region))
	if err != nil {
		return err
	}
	facts := policy.RecipientFacts{
		Policy: s.tenant.Spec.SubProcessors, Records: records, Recorded: s.tenant.Status.SubProcessors, Now: r.Clock.Now(),
	}
	if s.tenant.Spec.Residency != nil {
		facts.Jurisdictions = s.tenant.Spec.Residency.Jurisdictions
	}
	s.facts.Records, s.facts.Recipients = records, policy.DecideRecipients(facts)
	if s.egressService, err = find[corev1.Service](ctx, r.Client, s.namespace(), naming.Egress); err != nil {
		return err
	}
	s.egress, err = find[appsv1.Deployment](ctx, r.Client, s.namespace(), naming.Egress)
	return err
}

// recipientNames are those that a tenant uses, and the one that runs its region's backup store.
func recipientNames(tenant *v1alpha1.ChatTenant, region *v1alpha1.DataRegion) []string {
	names := usedRecipients(tenant)
	if region != nil && region.Spec.BackupStore != nil && region.Spec.BackupStore.SubProcessor != "" {
		names = append(names, region.Spec.BackupStore.SubProcessor)
	}
	return names
}

func usedRecipients(tenant *v1alpha1.ChatTenant) []string {
	if tenant.Spec.SubProcessors == nil {
		return nil
	}
	var names []string
	for _, use := range tenant.Spec.SubProcessors.Use {
		names = append(names, use.Name)
	}
	return names
}

// records are the SubProcessors of these names, all that engage them and all that they engage.
func (r *Reconciler) records(ctx context.Context, names []string) (map[string]*v1alpha1.SubProcessor, error) {
	found := map[string]*v1alpha1.SubProcessor{}
	for _, name := range names {
		if err := r.recordsAbove(ctx, name, found); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := r.recordsBelow(ctx, name, found, map[string]bool{}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// recordsAbove follows the parents until one is missing or known already.
func (r *Reconciler) recordsAbove(ctx context.Context, name string, found map[string]*v1alpha1.SubProcessor) error {
	for name != "" && found[name] == nil {
		record, err := find[v1alpha1.SubProcessor](ctx, r.Client, "", name)
		if err != nil || record == nil {
			return err
		}
		found[name], name = record, record.Spec.Parent
	}
	return nil
}

func (r *Reconciler) recordsBelow(
	ctx context.Context, name string, found map[string]*v1alpha1.SubProcessor, seen map[string]bool,
) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	children := &v1alpha1.SubProcessorList{}
	if err := r.Client.List(ctx, children, client.MatchingFields{indexParent: name}); err != nil {
		return fmt.Errorf("list those that %s engages: %w", name, err)
	}
	for i := range children.Items {
		child := &children.Items[i]
		found[child.Name] = child
		if err := r.recordsBelow(ctx, child.Name, found, seen); err != nil {
			return err
		}
	}
	return nil
}

// egressInput is the gateway that the tenant is to have, nil for none. It is made for the first recipient that becomes
// effective, and stays until none with endpoints is used and the chat server needs none any more: so an objection or a
// new notice is a change of its configuration, not of what runs.
func (s *scope) egressInput() *desired.Egress {
	open := s.openRecipients()
	if len(open) == 0 && (s.egress == nil || !s.facts.Recipients.Declared && !s.needsWayOut()) {
		return nil
	}
	egress := &desired.Egress{Recipients: open}
	if s.egressService != nil {
		egress.Address = s.egressService.Spec.ClusterIP
	}
	return egress
}

// openRecipients are those that are effective and whose being so was recorded before this pass: nothing is opened that
// the status could not tell of.
func (s *scope) openRecipients() []desired.Recipient {
	recorded := map[string]bool{}
	for _, r := range policy.Reachable(s.tenant.Status.SubProcessors) {
		recorded[r.Name] = true
	}
	var open []desired.Recipient
	for _, r := range policy.Reachable(s.facts.Recipients.List) {
		if recorded[r.Name] {
			open = append(open, desired.Recipient{Name: r.Name, Endpoints: r.Endpoints})
		}
	}
	return open
}

// unrecorded says whether a recipient waits for the status to be written before it is opened.
func (s *scope) unrecorded() bool {
	return len(s.openRecipients()) < len(policy.Reachable(s.facts.Recipients.List))
}
