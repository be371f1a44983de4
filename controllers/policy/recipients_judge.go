// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"time"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// judgement is what a recipient is to a tenant, and why.
type judgement struct {
	state   v1alpha1.RecipientState
	reason  v1alpha1.RecipientReason
	because string
	// from is when it becomes, or became, effective by itself. Zero means never.
	from time.Time
}

func pending(reason v1alpha1.RecipientReason, because string) judgement {
	return judgement{state: v1alpha1.RecipientPending, reason: reason, because: because}
}

// judgeUsed decides about a recipient that the tenant names. What reaches it may reach those that it engages, and those
// that engage it answer for it: so both must be sound for it to be.
func (d *decision) judgeUsed(name string) judgement {
	if d.Records[name] == nil {
		return pending(v1alpha1.RecipientRecordMissing, "")
	}
	chain, broken := d.chain(name)
	if broken != "" {
		return pending(v1alpha1.RecipientChainBroken, broken)
	}
	family := slices.Concat([]string{name}, chain, d.begun(name))
	if found, who := d.objectedTo(family); found {
		return judgement{
			state: v1alpha1.RecipientObjected, reason: v1alpha1.RecipientCustomerObjected, because: other(name, who),
		}
	}
	if found, who := d.outside(family); found {
		return pending(v1alpha1.RecipientOutside, other(name, who))
	}
	return d.judgeDays(name, chain)
}

// judgeDays decides by the calendar: every day of the recipient and of its chain must have come.
func (d *decision) judgeDays(name string, chain []string) judgement {
	noticed, begins := d.days(append([]string{name}, chain...))
	result := judgement{state: v1alpha1.RecipientEffective, reason: v1alpha1.RecipientInEffect}
	result.from = latest(noticed, begins)
	switch {
	case d.Now.Before(noticed):
		result.state, result.reason = v1alpha1.RecipientPending, v1alpha1.RecipientNoticeRunning
	case d.Now.Before(begins):
		result.state, result.reason = v1alpha1.RecipientPending, v1alpha1.RecipientNotYetEffective
	}
	if d.policy.Approval != v1alpha1.ApprovalManual {
		return result
	}
	approved, found := d.approvedOn(name)
	if !found {
		return pending(v1alpha1.RecipientApprovalMissing, "")
	}
	result.from = latest(result.from, approved)
	if d.Now.Before(approved) && result.state == v1alpha1.RecipientEffective {
		result.state, result.reason = v1alpha1.RecipientPending, v1alpha1.RecipientApprovalMissing
	}
	return result
}

// judgeEngaged decides about one that a used recipient engages. It is given no data before that one is. It needs no
// approval: whoever does not want it objects, which closes the recipient that engages it.
func (d *decision) judgeEngaged(name string, root v1alpha1.SubProcessorStatus) judgement {
	if found, _ := d.objectedTo([]string{name}); found {
		return judgement{state: v1alpha1.RecipientObjected, reason: v1alpha1.RecipientCustomerObjected}
	}
	if found, _ := d.outside([]string{name}); found {
		return pending(v1alpha1.RecipientOutside, "")
	}
	between, _ := d.chain(name)
	between = between[:slices.Index(between, root.Name)]
	noticed, begins := d.days(append([]string{name}, between...))
	from := latest(noticed, begins)
	switch {
	case root.State != v1alpha1.RecipientEffective:
		result := judgement{state: root.State, reason: root.Reason, because: root.Name}
		if day, ok := parse(root.ExpectedFrom); ok {
			result.from = latest(from, day)
		}
		return result
	case d.Now.Before(noticed):
		return judgement{state: v1alpha1.RecipientPending, reason: v1alpha1.RecipientNoticeRunning, because: root.Name,
			from: from}
	case d.Now.Before(begins):
		return judgement{state: v1alpha1.RecipientPending, reason: v1alpha1.RecipientNotYetEffective, because: root.Name,
			from: from}
	}
	return judgement{state: v1alpha1.RecipientEffective, reason: v1alpha1.RecipientEngaged, because: root.Name}
}

func (d *decision) objectedTo(names []string) (found bool, who string) {
	for _, name := range names {
		if slices.ContainsFunc(d.policy.Objections, func(o v1alpha1.SubProcessorObjection) bool { return o.Name == name }) {
			return true, name
		}
	}
	return false, ""
}

func (d *decision) outside(names []string) (found bool, who string) {
	for _, name := range names {
		if !recordWithin(d.Records[name], d.Jurisdictions) {
			return true, name
		}
	}
	return false, ""
}

// recordWithin says whether every location of a recipient lies in one of the jurisdictions.
func recordWithin(record *v1alpha1.SubProcessor, jurisdictions []v1alpha1.Jurisdiction) bool {
	if len(jurisdictions) == 0 {
		return true
	}
	for _, location := range record.Spec.Locations {
		if !Within(location, jurisdictions) {
			return false
		}
	}
	return true
}

// other leaves out a name that would only repeat itself.
func other(name, who string) string {
	if who == name {
		return ""
	}
	return who
}
