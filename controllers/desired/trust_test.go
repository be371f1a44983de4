// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/trust"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// found is a moment with more digits than the API server keeps.
var found = metav1.NewTime(time.Date(2026, 11, 1, 12, 0, 0, 123456789, time.FixedZone("elsewhere", 3600)))

// trustFacts are a status in which each state of a recipient occurs, for inputs with an egress gateway.
func trustFacts(in Input) TrustFacts {
	facts := TrustFacts{Status: &v1alpha1.ChatTenantStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionPlacementVerified, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInRegion,
			Message: "Pod postgres-0 on node-7", LastTransitionTime: found},
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
			LastTransitionTime: found},
		{Type: v1alpha1.ConditionGuardrailsInPlace, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotEvaluated,
			LastTransitionTime: found},
	}}}
	if in.Egress == nil {
		return facts
	}
	facts.Status.Isolation = &v1alpha1.IsolationStatus{LastProbeTime: &found, Holes: []string{"egress -> node-7"}}
	facts.Status.Conditions = append(facts.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionIsolationVerified, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonHoleFound,
		Message: "node-7", LastTransitionTime: found,
	})
	facts.Status.Encryption = &v1alpha1.EncryptionStatus{
		Provider: v1alpha1.EncryptionSecret, KeyGeneration: 3, ActiveGeneration: 2, LastRotationTime: &found,
	}
	if in.Tenant.Spec.Encryption.NewestKey() == 1 {
		facts.Status.Encryption.ActiveGeneration = 1
	}
	if in.Tenant.Spec.Encryption.External(facts.Status.Encryption.ActiveGeneration) != nil {
		facts.KeyHosts, facts.KeyHeldBy = []string{"vault.keys.example:8200"}, []string{"crm-eu"}
	}
	facts.Status.SubProcessors = []v1alpha1.SubProcessorStatus{
		{Name: "mail-relay-eu", State: v1alpha1.RecipientEffective, Since: &found},
		{Name: "crm-eu", State: v1alpha1.RecipientPending, ExpectedFrom: "2026-12-01"},
		{Name: "unwanted", State: v1alpha1.RecipientObjected},
		{Name: "former", State: v1alpha1.RecipientRetired, Since: &found, Until: &found},
	}
	facts.Records = map[string]*v1alpha1.SubProcessor{
		"mail-relay-eu": {Spec: mailRelay()},
		"crm-eu":        {Spec: mailRelay()},
	}
	return facts
}

func mailRelay() v1alpha1.SubProcessorSpec {
	return v1alpha1.SubProcessorSpec{
		LegalName: "Example Mail GmbH", Address: "Berlin, Germany", Contact: "privacy@mail.example",
		Purpose: "Sends notifications", DataCategories: []v1alpha1.DataCategory{"Aggregate", "AccountEmail"},
		Locations: []v1alpha1.Jurisdiction{"FR", "DE"}, Transfer: v1alpha1.Transfer{Ground: v1alpha1.TransferNone},
		Parent: "engager", NoticedAt: "2026-10-01", EffectiveFrom: "2026-11-01", AgreementURL: "https://mail.example/dpa",
		Endpoints: []v1alpha1.RecipientEndpoint{
			{Host: "smtp.mail.example", Port: 465}, {Host: "api.mail.example", Port: 443},
		},
	}
}

func documentOf(t *testing.T, s scenario) string {
	t.Helper()
	return find[corev1.ConfigMap](t, s, "ConfigMap", TrustConfigMap).Data[trust.FileName]
}

func TestEveryTrustDocumentFollowsThePublishedSchema(t *testing.T) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(trust.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range everyScenario() {
		if !slices.ContainsFunc(s.phases, func(p phase) bool { return p.name == "trust" }) {
			continue
		}
		data := documentOf(t, s)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if _, err := trust.Parse([]byte(data)); err != nil {
			t.Errorf("%s: the chat server would not publish it: %v", s.name, err)
		}
	}
}

func TestATrustDocumentNamesNoNodesAndNoPods(t *testing.T) {
	for _, in := range []Input{minimalInput(), recipientInput()} {
		data := encodeTrust(trustDocument(in, trustFacts(in)))
		for _, secret := range []string{"node-7", "postgres-0"} {
			if strings.Contains(data, secret) {
				t.Errorf("%s is in the document", secret)
			}
		}
	}
}

func TestAnotherOrderOfTheSameFactsIsNoNews(t *testing.T) {
	in := recipientInput()
	in.Tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"EU", "CH"}}
	want := trustDocument(in, trustFacts(in))
	facts := trustFacts(in)
	slices.Reverse(in.Tenant.Spec.Residency.Jurisdictions)
	slices.Reverse(facts.Status.Conditions)
	for _, record := range facts.Records {
		slices.Reverse(record.Spec.Endpoints)
		slices.Reverse(record.Spec.Locations)
		slices.Reverse(record.Spec.DataCategories)
	}
	if diff := cmp.Diff(want, trustDocument(in, facts)); diff != "" {
		t.Errorf("the document differs (-want +got):\n%s", diff)
	}
}

func TestWhatWasJustFoundReadsLikeWhatWasReadBack(t *testing.T) {
	in := recipientInput()
	for _, p := range trustDocument(in, trustFacts(in)).Proofs {
		if want := time.Date(2026, 11, 1, 11, 0, 0, 0, time.UTC); !p.Since.Equal(want) || p.Since.Location() != time.UTC {
			t.Errorf("%s holds since %s, want %s", p.Name, p.Since, want)
		}
	}
}
