// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// sending is a sound tenant that uses a recipient with an endpoint.
func sending(t *testing.T, all ...*v1alpha1.SubProcessor) Input {
	t.Helper()
	input := sound()
	input.Class.Spec.Images.EgressGateway = "gateway:1"
	f := using(all, "mail")
	f.Now = moment(t, "2026-11-15 00:00:00")
	input.Tenant.Spec.SubProcessors, input.Records, input.Recipients = f.Policy, f.Records, DecideRecipients(f)
	return input
}

func TestRecipientsAmongThePrerequisites(t *testing.T) {
	american := record("mail", "", in("US"))
	store := func(name string) func(*Input) {
		return func(input *Input) {
			input.Namespace = nil
			input.Region.Spec.BackupStore = &v1alpha1.BackupStore{SubProcessor: name}
		}
	}
	for _, tc := range []struct {
		name    string
		records []*v1alpha1.SubProcessor
		change  func(*Input)
		reason  string
		says    string
	}{
		{"a sound one", records(record("mail", "")), nil, "", ""},
		{"one that is outside, before anything is created", records(american),
			func(input *Input) { input.Namespace = nil }, v1alpha1.ReasonResidencyViolated, `SubProcessor "mail"`},
		{"one whose parent is outside", records(record("mail", "firm"), record("firm", "", in("US"))),
			func(input *Input) { input.Namespace = nil }, v1alpha1.ReasonResidencyViolated, `"firm"`},
		{"one that is outside, when retained data is taken up", records(american), func(input *Input) {
			input.Tenant.Spec.AdoptUID = "uid-before"
			input.Namespace.Annotations[v1alpha1.AnnotationTenantUID] = "uid-before"
		}, v1alpha1.ReasonResidencyViolated, `SubProcessor "mail"`},
		{"one that is outside, of a tenant that runs: it is closed instead", records(american), nil, "", ""},
		{"no image to reach it with", records(record("mail", "")),
			func(input *Input) { input.Class.Spec.Images.EgressGateway = "" }, v1alpha1.ReasonEgressImageMissing,
			"images.egressGateway"},
		{"no image, nothing to reach", records(record("mail", "", func(s *v1alpha1.SubProcessorSpec) { s.Endpoints = nil })),
			func(input *Input) { input.Class.Spec.Images.EgressGateway = "" }, "", ""},

		{"no image to reach a key service with", nil, func(input *Input) {
			input.Class.Spec.Images.EgressGateway = ""
			input.Tenant.Spec.SubProcessors, input.Recipients = nil, Recipients{}
			input.Tenant.Spec.Encryption = vault("https://vault.example:8200")
		}, v1alpha1.ReasonEgressImageMissing, "images.egressGateway"},

		{"a backup store inside", records(record("mail", "")), store("mail"), "", ""},
		{"a backup store outside", records(record("mail", ""), record("tape", "", in("DE", "US"))), store("tape"),
			v1alpha1.ReasonResidencyViolated, `"tape"`},
		{"a backup store engaged by one outside", records(record("mail", ""), record("tape", "firm"), record("firm", "",
			in("US"))),
			store("tape"), v1alpha1.ReasonResidencyViolated, `"tape"`},
		{"a backup store of nobody", records(record("mail", "")), store(""), v1alpha1.ReasonResidencyViolated,
			"backup store"},
		{"a backup store of nobody, without bounds", records(record("mail", "")), func(input *Input) {
			store("")(input)
			input.Tenant.Spec.Residency = nil
		}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			input := sending(t, tc.records...)
			if tc.change != nil {
				tc.change(&input)
			}
			reason, message := "", ""
			if v := FirstViolation(Prerequisites, input); v != nil {
				reason, message = v.Reason, v.Message
			}
			if reason != tc.reason || !strings.Contains(message, tc.says) {
				t.Errorf("got %q %q, want %q with %q", reason, message, tc.reason, tc.says)
			}
		})
	}
}

func TestEveryNeedNamesItsFieldAndIsCoveredExactly(t *testing.T) {
	open := []v1alpha1.SubProcessorStatus{{
		Name: "keys", State: v1alpha1.RecipientEffective,
		Endpoints: []v1alpha1.RecipientEndpoint{{Host: "vault.example", Port: 8200}, {Host: "kms.eu-central-1.amazonaws.com",
			Port: 443}},
	}}
	for _, tc := range []struct {
		name       string
		encryption *v1alpha1.Encryption
		want       []string
	}{
		{"none for a key in a Secret", nil, nil},
		{"an address with its port", vault("https://vault.example:8200"), nil},
		{"another port of a declared host", vault("https://vault.example"), []string{"vault.example:443"}},
		{"another host", vault("https://vault.elsewhere.example:8200"), []string{"vault.elsewhere.example:8200"}},
		{"a host below a declared one", vault("https://a.vault.example:8200"), []string{"a.vault.example:8200"}},
		{"each host of a cloud's key", &v1alpha1.Encryption{KMS: &v1alpha1.KMSKey{
			Generation: 1, URI: "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/0a000000-0000-4000-8000-000000000000",
		}}, []string{"sts.eu-central-1.amazonaws.com:443"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			needs, err := Needs(&v1alpha1.ChatTenant{Spec: v1alpha1.ChatTenantSpec{Encryption: tc.encryption}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range Uncovered(needs, open) {
				if !strings.HasPrefix(n.Field, "spec.encryption.") {
					t.Errorf("field %q", n.Field)
				}
				got = append(got, n.Endpoint.Host+":"+strconv.Itoa(int(n.Endpoint.Port)))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("uncovered (-want +got):\n%s", diff)
			}
		})
	}
	open[0].State = v1alpha1.RecipientObjected
	needs, _ := Needs(&v1alpha1.ChatTenant{Spec: v1alpha1.ChatTenantSpec{Encryption: vault("https://vault.example:8200")}})
	if len(Uncovered(needs, open)) != 1 {
		t.Error("a recipient that was objected to covers a host")
	}
}

func TestAKeyThatCannotBeUnderstoodIsAnError(t *testing.T) {
	for _, e := range []*v1alpha1.Encryption{
		{KMS: &v1alpha1.KMSKey{Generation: 1, URI: "aws-kms://alias/mine"}}, vault("https://vault.example:99999"),
	} {
		if needs, err := Needs(&v1alpha1.ChatTenant{Spec: v1alpha1.ChatTenantSpec{Encryption: e}}); err == nil {
			t.Errorf("%+v needs %v", e, needs)
		}
	}
}

func vault(address string) *v1alpha1.Encryption {
	return &v1alpha1.Encryption{VaultTransit: &v1alpha1.VaultTransit{Generation: 1, Address: address}}
}

// TestAdmissionAndTheOperatorKnowTheSameMembers reads the policy, because CEL can import nothing.
func TestAdmissionAndTheOperatorKnowTheSameMembers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "admission", "recipient-residency.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	countries := regexp.MustCompile(`'([A-Z]{2})'[,\]]`)
	_, union, _ := strings.Cut(string(text), "name: europeanUnion")
	union, area, _ := strings.Cut(union, "name: economicArea")
	area, _, _ = strings.Cut(area, "- name:")
	got := map[v1alpha1.Jurisdiction][]string{}
	for set, part := range map[v1alpha1.Jurisdiction]string{"EU": union, "EEA": union + area} {
		for _, match := range countries.FindAllStringSubmatch(part, -1) {
			got[set] = append(got[set], match[1])
		}
		slices.Sort(got[set])
	}
	want := map[v1alpha1.Jurisdiction][]string{}
	for set := range maps.Keys(members) {
		want[set] = strings.Fields(members[set])
		slices.Sort(want[set])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-operator +admission):\n%s", diff)
	}
}
