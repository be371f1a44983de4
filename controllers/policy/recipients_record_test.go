// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// decide makes the decision of a moment and records it, as the operator does.
func decide(t *testing.T, f *RecipientFacts, at string) []v1alpha1.SubProcessorStatus {
	t.Helper()
	f.Now = moment(t, at)
	f.Recorded = DecideRecipients(*f).List
	return f.Recorded
}

func wantRecord(t *testing.T, got []v1alpha1.SubProcessorStatus, line string, since, until *metav1.Time) {
	t.Helper()
	if len(got) != 1 || told(got)[0] != line {
		t.Fatalf("got %v, want %s", told(got), line)
	}
	if !got[0].Since.Equal(since) || !got[0].Until.Equal(until) {
		t.Errorf("%s: since %s until %s, want %s and %s", line, got[0].Since, got[0].Until, since, until)
	}
}

func TestTheRecordEnclosesEveryTimeInWhichARecipientWasEffective(t *testing.T) {
	f := using(records(record("mail", "")), "mail")
	first := stamp(t, "2026-11-01 00:00:07")

	wantRecord(t, decide(t, &f, "2026-10-20 10:00:00"), "mail Pending NoticeRunning from 2026-11-01", nil, nil)
	wantRecord(t, decide(t, &f, "2026-11-01 00:00:07"), "mail"+inForce, first, nil)
	wantRecord(t, decide(t, &f, "2026-11-05 00:00:00"), "mail"+inForce, first, nil)
	objectTo(&f, "mail")
	wantRecord(t, decide(t, &f, "2026-11-06 09:00:00"), "mail"+objected, first, stamp(t, "2026-11-06 09:00:00"))
	wantRecord(t, decide(t, &f, "2026-11-07 09:00:00"), "mail"+objected, first, stamp(t, "2026-11-06 09:00:00"))
	f.Policy.Objections = nil
	wantRecord(t, decide(t, &f, "2026-11-08 09:00:00"), "mail"+inForce, first, nil)
	f.Policy.Use = nil
	last := stamp(t, "2026-11-09 09:00:00")
	wantRecord(t, decide(t, &f, "2026-11-09 09:00:00"), "mail Retired NoLongerUsed", first, last)
	f.Policy = nil
	wantRecord(t, decide(t, &f, "2026-12-09 09:00:00"), "mail Retired NoLongerUsed", first, last)
}

func TestADeletedRecordRetiresWhatWasEffective(t *testing.T) {
	f := using(records(record("mail", "")), "mail")
	decide(t, &f, "2026-11-01 00:00:00")
	delete(f.Records, "mail")
	got := decide(t, &f, "2026-11-02 00:00:00")
	wantRecord(t, got, "mail Retired RecordMissing", stamp(t, "2026-11-01 00:00:00"), stamp(t, "2026-11-02 00:00:00"))
	if got[0].LegalName != "MAIL" || len(got[0].Endpoints) != 1 {
		t.Errorf("the record forgot who it was: %+v", got[0])
	}
	if len(Reachable(got)) != 0 {
		t.Error("a recipient without a record is reachable")
	}
}

func TestWhatWasNeverEffectiveLeavesNoRecord(t *testing.T) {
	f := using(records(record("mail", "")), "mail")
	decide(t, &f, "2026-10-20 00:00:00")
	f.Policy.Use = nil
	if got := decide(t, &f, "2026-10-21 00:00:00"); len(got) != 0 {
		t.Errorf("recorded: %v", told(got))
	}
}

func TestAStartThatMovesLaterClosesAgain(t *testing.T) {
	f := using(records(record("mail", "")), "mail")
	decide(t, &f, "2026-11-01 00:00:00")
	f.Records["mail"] = record("mail", "", from("2026-10-01", "2027-01-01"))
	wantRecord(t, decide(t, &f, "2026-11-02 00:00:00"), "mail Pending NotYetEffective from 2027-01-01",
		stamp(t, "2026-11-01 00:00:00"), stamp(t, "2026-11-02 00:00:00"))
}

func TestTheLongestRetiredFallOutFirst(t *testing.T) {
	f := using(records(record("mail", "")), "mail")
	begin := moment(t, "2020-01-01 00:00:00")
	for i := range MaxRecipients + 5 {
		at := metav1.NewTime(begin.Add(time.Duration(i) * time.Hour))
		f.Recorded = append(f.Recorded, v1alpha1.SubProcessorStatus{
			Name: fmt.Sprintf("old-%03d", i), State: v1alpha1.RecipientRetired, Since: &at, Until: &at,
		})
	}
	got := decide(t, &f, "2026-11-15 00:00:00")
	if len(got) != MaxRecipients || got[0].Name != "mail" || got[1].Name != "old-260" {
		t.Fatalf("%d listed, first %v", len(got), told(got[:2]))
	}
	if last := got[len(got)-1].Name; last != "old-006" {
		t.Errorf("the last is %s", last)
	}
}

func TestTheSameFactsGiveTheSameList(t *testing.T) {
	all := records(record("a", ""), record("b", "a"), record("c", "a"), record("d", "b"), record("e", ""))
	f := using(all, "e", "a")
	f.Now = moment(t, "2026-11-15 00:00:00")
	want := DecideRecipients(f)
	for range 50 {
		if diff := cmp.Diff(want, DecideRecipients(f)); diff != "" {
			t.Fatalf("(-first +again):\n%s", diff)
		}
	}
}
