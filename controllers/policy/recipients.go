// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// MaxRecipients is how many recipients a status lists.
const MaxRecipients = 256

// RecipientFacts are what decides about a tenant's recipients.
type RecipientFacts struct {
	// Policy is nil for a tenant that uses none.
	Policy *v1alpha1.SubProcessorPolicy
	// Jurisdictions bound the locations of recipients. Empty, they bound nothing.
	Jurisdictions []v1alpha1.Jurisdiction
	// Records are the SubProcessors that the policy uses, their chains of parents and those that they engage, by name.
	Records map[string]*v1alpha1.SubProcessor
	// Recorded is what the tenant's status says.
	Recorded []v1alpha1.SubProcessorStatus
	Now      time.Time
}

// Recipients is what was decided.
type Recipients struct {
	// List has those that are used, those that they engage, and those that are retired, each part in a fixed order.
	List []v1alpha1.SubProcessorStatus
	// Declared says that a recipient is used whose record has endpoints, effective or not.
	Declared bool
	// Next is when the list changes by itself, zero if it does not.
	Next time.Time
}

// DecideRecipients says what each recipient is to a tenant at a moment. It depends on nothing else.
func DecideRecipients(f RecipientFacts) Recipients {
	d := newDecision(f)
	list := d.used()
	list = append(list, d.engaged(list)...)
	list = append(list, d.retired(list)...)
	return Recipients{List: list[:min(len(list), MaxRecipients)], Declared: d.declared(), Next: d.next}
}

// Reachable are the recipients of a list that the egress gateway opens.
func Reachable(list []v1alpha1.SubProcessorStatus) []v1alpha1.SubProcessorStatus {
	var open []v1alpha1.SubProcessorStatus
	for _, r := range list {
		if r.State == v1alpha1.RecipientEffective && len(r.Endpoints) > 0 {
			open = append(open, r)
		}
	}
	return open
}

// decision is one run over the facts.
type decision struct {
	RecipientFacts
	policy   v1alpha1.SubProcessorPolicy
	children map[string][]string
	recorded map[string]v1alpha1.SubProcessorStatus
	// next is the earliest day in the future that was asked for.
	next time.Time
}

func newDecision(f RecipientFacts) *decision {
	d := &decision{
		RecipientFacts: f, children: map[string][]string{}, recorded: map[string]v1alpha1.SubProcessorStatus{},
	}
	if f.Policy != nil {
		d.policy = *f.Policy
	}
	for name, record := range f.Records {
		if record.Spec.Parent != "" {
			d.children[record.Spec.Parent] = append(d.children[record.Spec.Parent], name)
		}
	}
	for _, r := range f.Recorded {
		d.recorded[r.Name] = r
	}
	return d
}

func (d *decision) uses(name string) bool {
	return slices.ContainsFunc(d.policy.Use, func(u v1alpha1.SubProcessorUse) bool { return u.Name == name })
}

func (d *decision) declared() bool {
	return slices.ContainsFunc(d.policy.Use, func(u v1alpha1.SubProcessorUse) bool {
		record := d.Records[u.Name]
		return record != nil && len(record.Spec.Endpoints) > 0
	})
}

// used are the recipients that the tenant names, by name.
func (d *decision) used() []v1alpha1.SubProcessorStatus {
	var list []v1alpha1.SubProcessorStatus
	for _, use := range d.policy.Use {
		result := d.judgeUsed(use.Name)
		status := d.status(use.Name, result)
		if record := d.Records[use.Name]; result.state == v1alpha1.RecipientEffective {
			status.Endpoints = record.Spec.Endpoints
		}
		list = append(list, status)
	}
	slices.SortFunc(list, byName)
	return list
}

// engaged are those that a used recipient engages and the tenant does not use itself, by name.
func (d *decision) engaged(used []v1alpha1.SubProcessorStatus) []v1alpha1.SubProcessorStatus {
	var list []v1alpha1.SubProcessorStatus
	for _, root := range used {
		if d.Records[root.Name] == nil {
			continue
		}
		for _, name := range d.engagedBy(root.Name) {
			if d.uses(name) || d.nearestUsed(name) != root.Name {
				continue
			}
			status := d.status(name, d.judgeEngaged(name, root))
			status.Endpoints = nil
			list = append(list, status)
		}
	}
	slices.SortFunc(list, byName)
	return list
}

// retired are those that were effective once and are not listed any more, the latest first.
func (d *decision) retired(listed []v1alpha1.SubProcessorStatus) []v1alpha1.SubProcessorStatus {
	var list []v1alpha1.SubProcessorStatus
	for _, r := range d.Recorded {
		known := slices.ContainsFunc(listed, func(l v1alpha1.SubProcessorStatus) bool { return l.Name == r.Name })
		if known || r.Since == nil {
			continue
		}
		list = append(list, d.status(r.Name, judgement{
			state: v1alpha1.RecipientRetired, reason: v1alpha1.RecipientNoLongerUsed,
		}))
	}
	slices.SortFunc(list, func(a, b v1alpha1.SubProcessorStatus) int {
		return cmp.Or(b.Until.Compare(a.Until.Time), byName(a, b))
	})
	return list
}

func byName(a, b v1alpha1.SubProcessorStatus) int { return cmp.Compare(a.Name, b.Name) }

// status joins a judgement with what was recorded before. Since stays the first moment of all, so that since and until
// enclose every time in which the recipient was effective.
func (d *decision) status(name string, j judgement) v1alpha1.SubProcessorStatus {
	before := d.recorded[name]
	if j.reason == v1alpha1.RecipientRecordMissing && before.Since != nil {
		j.state = v1alpha1.RecipientRetired
	}
	now := v1alpha1.SubProcessorStatus{
		Name: name, LegalName: before.LegalName, State: j.state, Reason: j.reason, Because: j.because,
		Since: before.Since, Until: before.Until, Endpoints: before.Endpoints,
	}
	if record := d.Records[name]; record != nil {
		now.LegalName = record.Spec.LegalName
	}
	if j.state == v1alpha1.RecipientPending && !j.from.IsZero() {
		now.ExpectedFrom = v1alpha1.Date(j.from.Format(time.DateOnly))
	}
	d.date(&now)
	return now
}

func (d *decision) date(r *v1alpha1.SubProcessorStatus) {
	now := metav1.NewTime(d.Now.Truncate(time.Second))
	switch {
	case r.State == v1alpha1.RecipientEffective:
		r.Until = nil
		if r.Since == nil {
			r.Since = &now
		}
	case r.Since != nil && r.Until == nil:
		r.Until = &now
	}
}
