// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestAChainStandsAndFallsTogether: firm engages store, store engages vault. It is the 15th of November 2026.
func TestAChainStandsAndFallsTogether(t *testing.T) {
	firm, store, vault := record("firm", ""), record("store", "firm"), record("vault", "store")
	late := from("2026-11-10", "2026-12-01")
	for _, tc := range []struct {
		name    string
		records []*v1alpha1.SubProcessor
		use     string
		change  func(*RecipientFacts)
		want    []string
	}{
		{"the middle is used", records(firm, store, vault), "store", nil,
			[]string{"store" + inForce, "vault Effective Engaged because store"}},
		{"both ends are used", records(firm, store, vault), "firm vault", nil,
			[]string{"firm" + inForce, "vault" + inForce, "store Effective Engaged because firm"}},
		{"the two above are used: the nearer one engages", records(firm, store, vault), "firm store", nil,
			[]string{"firm" + inForce, "store" + inForce, "vault Effective Engaged because store"}},
		{"the top is used", records(firm, store, vault), "firm", nil,
			[]string{"firm" + inForce, "store Effective Engaged because firm", "vault Effective Engaged because firm"}},
		{"a parent is missing", records(vault), "vault", nil, []string{"vault Pending ChainBroken because store"}},
		{"a parent's parent is missing", records(vault, store), "vault", nil,
			[]string{"vault Pending ChainBroken because firm"}},
		{"a circle of two", records(record("a", "b"), record("b", "a")), "a", nil,
			[]string{"a Pending ChainBroken because a", "b Pending ChainBroken because a"}},
		{"a circle of three, entered from outside", records(record("a", "b"), record("b", "c"), record("c", "b")), "a", nil,
			[]string{"a Pending ChainBroken because b"}},
		{"a circle of one", records(record("a", "a")), "a", nil, []string{"a Pending ChainBroken because a"}},

		{"a parent's notice runs", records(record("firm", "", late), record("store", "firm")), "store", nil,
			[]string{"store Pending NoticeRunning from 2026-12-11"}},
		{"a parent is objected to", records(firm, store, vault), "vault",
			func(f *RecipientFacts) { objectTo(f, "firm") }, []string{"vault" + objected + " because firm"}},
		{"a parent is outside", records(record("firm", "", in("US")), store), "store", nil,
			[]string{"store" + outside + " because firm"}},
		{"a parent needs no approval of its own", records(firm, store), "store",
			func(f *RecipientFacts) { approve(f, "store", "2026-10-02") }, []string{"store" + inForce}},

		{"one that is engaged is objected to", records(store, vault, firm), "store",
			func(f *RecipientFacts) { objectTo(f, "vault") },
			[]string{"store" + objected + " because vault", "vault" + objected}},
		{"one that is engaged later is objected to", records(firm, store, record("vault", "store", late)), "store",
			func(f *RecipientFacts) { objectTo(f, "vault") }, []string{"store" + inForce, "vault" + objected}},
		{"one that is engaged is outside", records(firm, store, record("vault", "store", in("US"))), "store", nil,
			[]string{"store" + outside + " because vault", "vault" + outside}},
		{"one that is engaged later is outside", records(firm, store, record("vault", "store", in("US"), late)), "store", nil,
			[]string{"store" + inForce, "vault" + outside}},
		{"one that is engaged has its own days", records(firm, store, record("vault", "store", late)), "store", nil,
			[]string{"store" + inForce, "vault Pending NoticeRunning because store from 2026-12-11"}},
		{"nobody is engaged before the one that engages", records(record("firm", "", late), record("store", "firm")),
			"firm", nil, []string{"firm Pending NoticeRunning from 2026-12-11",
				"store Pending NoticeRunning because firm from 2026-12-11"}},
		{"who is engaged by one that is objected to gets nothing", records(firm, store, vault), "store",
			func(f *RecipientFacts) { objectTo(f, "store") },
			[]string{"store" + objected, "vault" + objected + " because store"}},
		{"an engaged one needs no approval", records(firm, store, vault), "store",
			func(f *RecipientFacts) { approve(f, "store", "2026-10-02") },
			[]string{"store" + inForce, "vault Effective Engaged because store"}},
		{"an engaged one that is used too needs one", records(firm, store, vault), "store vault",
			func(f *RecipientFacts) { approve(f, "store", "2026-10-02") },
			[]string{"store" + inForce, "vault Pending ApprovalMissing"}},
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

// An engaged recipient that begins outside the jurisdictions closes the one that engages it on that day: the operator
// has to look then.
func TestTheOperatorLooksWhenAnEngagedOneBegins(t *testing.T) {
	f := using(records(record("store", ""), record("vault", "store", in("US"), from("2026-11-10", "2026-12-01"))), "store")
	f.Now = moment(t, "2026-11-30 23:59:59")
	got := DecideRecipients(f)
	if !got.Next.Equal(moment(t, "2026-12-01 00:00:00")) || len(Reachable(got.List)) != 1 {
		t.Fatalf("reachable %v, next look %s", told(Reachable(got.List)), got.Next)
	}
	f.Now = got.Next
	if got := DecideRecipients(f); len(Reachable(got.List)) != 0 {
		t.Errorf("reachable on the day: %v", told(got.List))
	}
}

func TestOnlyUsedRecipientsAreReachable(t *testing.T) {
	silent := func(s *v1alpha1.SubProcessorSpec) { s.Endpoints = nil }
	f := using(records(record("firm", ""), record("store", "firm"), record("quiet", "", silent)), "firm", "quiet")
	f.Now = moment(t, "2026-11-15 12:00:00")
	got := DecideRecipients(f)
	want := []v1alpha1.RecipientEndpoint{{Host: "firm.example", Port: 443}}
	open := Reachable(got.List)
	if len(open) != 1 || open[0].Name != "firm" || !cmp.Equal(open[0].Endpoints, want) {
		t.Errorf("reachable: %+v", open)
	}
	if !got.Declared {
		t.Error("one with endpoints is used, and none is said to be declared")
	}
	f.Policy.Use = f.Policy.Use[1:]
	if DecideRecipients(f).Declared {
		t.Error("one without endpoints is said to need a way out")
	}
}
