// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"time"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// chain are a recipient's parents, the nearest first. Broken names the link that is missing, or that comes a second
// time; it is empty for a chain that ends.
func (d *decision) chain(name string) (parents []string, broken string) {
	for record := d.Records[name]; record.Spec.Parent != ""; {
		parent := record.Spec.Parent
		record = d.Records[parent]
		if record == nil || parent == name || slices.Contains(parents, parent) {
			return parents, parent
		}
		parents = append(parents, parent)
	}
	return parents, ""
}

// engagedBy are all whose chain leads to a recipient.
func (d *decision) engagedBy(name string) []string {
	var found []string
	for todo := d.children[name]; len(todo) > 0; {
		next := todo[0]
		todo = slices.Clone(todo[1:])
		if next == name || slices.Contains(found, next) {
			continue
		}
		found = append(found, next)
		todo = append(todo, d.children[next]...)
	}
	slices.Sort(found)
	return found
}

// begun are those that a recipient engages and whose first day has come: from then on they may be given what it is
// given.
func (d *decision) begun(name string) []string {
	return slices.DeleteFunc(d.engagedBy(name), func(engaged string) bool {
		between, _ := d.chain(engaged)
		between = append([]string{engaged}, between[:max(0, slices.Index(between, name))]...)
		_, begins := d.days(between)
		return d.Now.Before(begins)
	})
}

// nearestUsed is the first recipient of a chain that the tenant uses, empty if there is none.
func (d *decision) nearestUsed(name string) string {
	parents, _ := d.chain(name)
	if i := slices.IndexFunc(parents, d.uses); i >= 0 {
		return parents[i]
	}
	return ""
}

// days are when the tenant's notice of all these recipients has passed, and when the last of them begins.
func (d *decision) days(names []string) (noticed, begins time.Time) {
	for _, name := range names {
		spec := d.Records[name].Spec
		noticed = latest(noticed, d.noticeEnds(spec.NoticedAt))
		begins = latest(begins, d.day(spec.EffectiveFrom))
	}
	return noticed, begins
}

// noticeEnds is when as many whole days have passed as the notice takes: the day of the notice itself does not count.
// Without a period nobody waits.
func (d *decision) noticeEnds(noticedAt v1alpha1.Date) time.Time {
	days := v1alpha1.DefaultNoticeDays
	if d.policy.NoticeDays != nil {
		days = int(*d.policy.NoticeDays)
	}
	day, ok := parse(noticedAt)
	if !ok {
		return never
	}
	if days > 0 {
		day = day.AddDate(0, 0, days+1)
	}
	return d.remember(day)
}

func (d *decision) approvedOn(name string) (time.Time, bool) {
	for _, a := range d.policy.Approvals {
		if a.Name == name {
			return d.day(a.ApprovedOn), true
		}
	}
	return time.Time{}, false
}

// never is later than any day that a Date can hold.
var never = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// day is the beginning of a day, in UTC.
func (d *decision) day(date v1alpha1.Date) time.Time {
	day, ok := parse(date)
	if !ok {
		return never
	}
	return d.remember(day)
}

// remember notes a day that is still to come: then the decision has to be made anew.
func (d *decision) remember(day time.Time) time.Time {
	if day.After(d.Now) && (d.next.IsZero() || day.Before(d.next)) {
		d.next = day
	}
	return day
}

// parse answers false for what is no day. The API server admits none such; were one stored, its recipient stays closed.
func parse(date v1alpha1.Date) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, string(date))
	return day, err == nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
