// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// moment reads a time to the second, in UTC.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func stamp(t *testing.T, text string) *metav1.Time {
	t.Helper()
	return new(metav1.NewTime(moment(t, text)))
}

// record is a recipient that was noticed on October 1st and begins on November 1st.
func record(name, parent string, change ...func(*v1alpha1.SubProcessorSpec)) *v1alpha1.SubProcessor {
	p := &v1alpha1.SubProcessor{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.SubProcessorSpec{
		LegalName: strings.ToUpper(name), Parent: parent, Locations: []v1alpha1.Jurisdiction{"DE"},
		Endpoints: []v1alpha1.RecipientEndpoint{{Host: name + ".example", Port: 443}},
		NoticedAt: "2026-10-01", EffectiveFrom: "2026-11-01",
	}}
	for _, c := range change {
		c(&p.Spec)
	}
	return p
}

func from(noticed, effective v1alpha1.Date) func(*v1alpha1.SubProcessorSpec) {
	return func(s *v1alpha1.SubProcessorSpec) { s.NoticedAt, s.EffectiveFrom = noticed, effective }
}

func in(countries ...v1alpha1.Jurisdiction) func(*v1alpha1.SubProcessorSpec) {
	return func(s *v1alpha1.SubProcessorSpec) { s.Locations = countries }
}

// using is what a tenant of the EU decides on that uses these.
func using(records []*v1alpha1.SubProcessor, names ...string) RecipientFacts {
	f := RecipientFacts{
		Policy:        &v1alpha1.SubProcessorPolicy{Approval: v1alpha1.ApprovalAfterNotice, NoticeDays: new(int32(30))},
		Jurisdictions: []v1alpha1.Jurisdiction{"EU"},
		Records:       map[string]*v1alpha1.SubProcessor{},
	}
	for _, r := range records {
		f.Records[r.Name] = r
	}
	for _, name := range names {
		f.Policy.Use = append(f.Policy.Use, v1alpha1.SubProcessorUse{Name: name})
	}
	return f
}

func objectTo(f *RecipientFacts, names ...string) {
	for _, name := range names {
		f.Policy.Objections = append(f.Policy.Objections, v1alpha1.SubProcessorObjection{Name: name})
	}
}

func approve(f *RecipientFacts, name string, on v1alpha1.Date) {
	f.Policy.Approval = v1alpha1.ApprovalManual
	f.Policy.Approvals = append(f.Policy.Approvals, v1alpha1.SubProcessorConsent{Name: name, ApprovedOn: on})
}

// told is a line per recipient: its name, state and reason, and what these rest on.
func told(list []v1alpha1.SubProcessorStatus) []string {
	var lines []string
	for _, r := range list {
		line := r.Name + " " + string(r.State) + " " + string(r.Reason)
		if r.Because != "" {
			line += " because " + r.Because
		}
		if r.ExpectedFrom != "" {
			line += " from " + string(r.ExpectedFrom)
		}
		lines = append(lines, line)
	}
	return lines
}

const (
	inForce  = " Effective InEffect"
	objected = " Objected CustomerObjected"
	outside  = " Pending OutsideJurisdictions"
)

func records(all ...*v1alpha1.SubProcessor) []*v1alpha1.SubProcessor { return all }

func TestDaysDecideWhenARecipientIsEffective(t *testing.T) {
	const notice, notYet = "mail Pending NoticeRunning from ", "mail Pending NotYetEffective from "
	for _, tc := range []struct {
		name               string
		noticed, effective v1alpha1.Date
		days               int32
		now, want, next    string
	}{
		{"the day before its first", "2026-10-01", "2026-11-01", 0, "2026-10-31 23:59:59",
			notYet + "2026-11-01", "2026-11-01"},
		{"its first day", "2026-10-01", "2026-11-01", 0, "2026-11-01 00:00:00", "mail" + inForce, ""},
		{"the last day of the notice", "2026-10-01", "2026-10-01", 30, "2026-10-31 23:59:59",
			notice + "2026-11-01", "2026-11-01"},
		{"thirty whole days after the day of the notice", "2026-10-01", "2026-10-01", 30, "2026-11-01 00:00:00",
			"mail" + inForce, ""},
		{"a notice of one day", "2026-10-01", "2026-10-01", 1, "2026-10-02 12:00:00",
			notice + "2026-10-03", "2026-10-03"},
		{"no notice asked for", "2026-10-01", "2026-10-01", 0, "2026-10-01 00:00:00", "mail" + inForce, ""},
		{"a notice in the future", "2026-10-05", "2026-10-05", 0, "2026-10-01 00:00:00",
			notice + "2026-10-05", "2026-10-05"},
		{"a notice that ends before the first day", "2026-10-01", "2026-12-01", 30, "2026-11-15 00:00:00",
			notYet + "2026-12-01", "2026-12-01"},
		{"a first day within the notice", "2026-10-01", "2026-10-10", 30, "2026-10-05 00:00:00",
			notice + "2026-11-01", "2026-10-10"},
		{"a notice over a leap day", "2028-02-01", "2028-02-01", 30, "2028-03-02 23:59:59",
			notice + "2028-03-03", "2028-03-03"},
		{"the same in a common year", "2027-02-01", "2027-02-01", 30, "2027-03-04 00:00:00", "mail" + inForce, ""},
		{"a leap day for a first day", "2028-01-01", "2028-02-29", 0, "2028-02-28 23:59:59",
			notYet + "2028-02-29", "2028-02-29"},
		{"a notice over the end of a year", "2026-12-15", "2026-12-15", 30, "2027-01-14 23:00:00",
			notice + "2027-01-15", "2027-01-15"},
		{"a notice of a year", "2026-01-01", "2026-01-01", 365, "2027-01-01 10:00:00",
			notice + "2027-01-02", "2027-01-02"},
		{"a day that is none", "2026-10-01", "2026-02-30", 0, "2026-12-01 00:00:00", notYet + "10000-01-01", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := using(records(record("mail", "", from(tc.noticed, tc.effective))), "mail")
			f.Policy.NoticeDays, f.Now = &tc.days, moment(t, tc.now)
			got := DecideRecipients(f)
			if diff := cmp.Diff([]string{tc.want}, told(got.List)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			next := ""
			if !got.Next.IsZero() {
				next = got.Next.Format(time.DateOnly)
			}
			if next != tc.next {
				t.Errorf("next look on %q, want %q", next, tc.next)
			}
		})
	}
}

func TestDaysAreCountedInUTCWhereverTheOperatorRuns(t *testing.T) {
	f := using(records(record("mail", "", from("2026-10-01", "2026-11-01"))), "mail")
	f.Policy.NoticeDays = new(int32(0))
	f.Now = moment(t, "2026-10-31 23:59:59").In(time.FixedZone("east", 14*60*60))
	if got := told(DecideRecipients(f).List)[0]; !strings.HasPrefix(got, "mail Pending") {
		t.Errorf("a second before midnight in UTC: %s", got)
	}
	f.Now = f.Now.Add(time.Second)
	if got := told(DecideRecipients(f).List)[0]; got != "mail"+inForce {
		t.Errorf("at midnight in UTC: %s", got)
	}
}

func TestThirtyDaysOfNoticeAreTheDefault(t *testing.T) {
	f := using(records(record("mail", "", from("2026-10-01", "2026-10-01"))), "mail")
	f.Policy.NoticeDays, f.Now = nil, moment(t, "2026-10-20 00:00:00")
	want := []string{"mail Pending NoticeRunning from 2026-11-01"}
	if diff := cmp.Diff(want, told(DecideRecipients(f).List)); diff != "" {
		t.Error(diff)
	}
}

// TestWhoIsWhat holds on the 15th of November 2026, when everything that is not said to be otherwise has begun.
func TestWhoIsWhat(t *testing.T) {
	store := record("store", "")
	for _, tc := range []struct {
		name    string
		records []*v1alpha1.SubProcessor
		use     string
		change  func(*RecipientFacts)
		want    []string
	}{
		{"one that is used", records(store), "store", nil, []string{"store" + inForce}},
		{"one that nobody uses", records(store), "", nil, nil},
		{"one without a record", nil, "store", nil, []string{"store Pending RecordMissing"}},
		{"several, by name", records(store, record("mail", "")), "store mail", nil, []string{"mail" + inForce,
			"store" + inForce}},

		{"an objection", records(store), "store", func(f *RecipientFacts) { objectTo(f, "store") },
			[]string{"store" + objected}},
		{"an objection to another", records(store), "store", func(f *RecipientFacts) { objectTo(f, "mail") },
			[]string{"store" + inForce}},
		{"an objection before its day", records(record("late", "", from("2026-11-10", "2027-01-01"))), "late",
			func(f *RecipientFacts) { objectTo(f, "late") }, []string{"late" + objected}},

		{"by hand, not approved", records(store), "store",
			func(f *RecipientFacts) { f.Policy.Approval = v1alpha1.ApprovalManual }, []string{"store Pending ApprovalMissing"}},
		{"by hand, approved", records(store), "store", func(f *RecipientFacts) { approve(f, "store", "2026-10-02") },
			[]string{"store" + inForce}},
		{"by hand, approved today", records(store), "store", func(f *RecipientFacts) { approve(f, "store", "2026-11-15") },
			[]string{"store" + inForce}},
		{"by hand, approved from tomorrow on", records(store), "store",
			func(f *RecipientFacts) { approve(f, "store", "2026-11-16") },
			[]string{"store Pending ApprovalMissing from 2026-11-16"}},
		{"by hand, another approved", records(store), "store", func(f *RecipientFacts) { approve(f, "mail", "2026-10-02") },
			[]string{"store Pending ApprovalMissing"}},
		{"an approval does not shorten the notice", records(record("late", "", from("2026-11-10", "2026-11-10"))), "late",
			func(f *RecipientFacts) { approve(f, "late", "2026-11-11") },
			[]string{"late Pending NoticeRunning from 2026-12-11"}},

		{"one location outside among others", records(record("store", "", in("DE", "US", "FR"))), "store", nil,
			[]string{"store" + outside}},
		{"the last location outside", records(record("store", "", in("DE", "US"))), "store", nil,
			[]string{"store" + outside}},
		{"a neighbour of the union", records(record("store", "", in("NO"))), "store", nil, []string{"store" + outside}},
		{"the same in the economic area", records(record("store", "", in("NO"))), "store",
			func(f *RecipientFacts) { f.Jurisdictions = []v1alpha1.Jurisdiction{"EEA"} }, []string{"store" + inForce}},
		{"no bounds", records(record("store", "", in("US"))), "store",
			func(f *RecipientFacts) { f.Jurisdictions = nil }, []string{"store" + inForce}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := using(tc.records, strings.Fields(tc.use)...)
			f.Now = moment(t, "2026-11-15 12:00:00")
			if tc.change != nil {
				tc.change(&f)
			}
			if diff := cmp.Diff(tc.want, told(DecideRecipients(f).List)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
