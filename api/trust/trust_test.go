// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trust_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/chattenant/chattenant/api/trust"
)

var when = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// full is a document in which nothing is left out.
func full() trust.Document {
	return trust.Document{
		Schema: "/trust.schema.json", Version: trust.Version, Tenant: "acme",
		Controller:    trust.Controller{Name: "Acme GmbH", PrivacyPolicy: "https://www.acme.example/privacy"},
		Processor:     &trust.Organisation{LegalName: "Chat AG", Address: "Bern, Switzerland", Contact: "dpo@chat.example"},
		Region:        trust.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
		Jurisdictions: []string{"EU", "CH"},
		SubProcessors: []trust.SubProcessor{{
			Name: "mail-relay-eu", State: trust.Effective, ExpectedFrom: "2026-11-01", Since: &when, Until: &when,
			Record: &trust.Record{
				Organisation: trust.Organisation{LegalName: "Mail GmbH", Address: "Berlin", Contact: "privacy@mail.example"},
				Purpose:      "Sends notifications", DataCategories: []string{"AccountEmail"}, Locations: []string{"DE"},
				TransferGround: "None", EngagedBy: "somebody", Hosts: []string{"smtp.mail.example:465"},
				NoticedAt: "2026-10-01", EffectiveFrom: "2026-11-01", Agreement: "https://mail.example/dpa",
			},
		}},
		Encryption: trust.Encryption{KeyProvider: "Secret", KeyGeneration: 2, LastRotation: &when,
			KeyService: &trust.KeyService{Hosts: []string{"vault.example:8200"}, HeldBy: []string{"keys-eu"}}},
		Retention: trust.Retention{TranscriptDays: 1, ContactDays: 2, AttachmentDays: 3, AuditDays: 30},
		Backups:   trust.Backups{EveryHours: 24, KeepDays: 30},
		Proofs:    []trust.Proof{{Name: "IsolationVerified", Holds: "True", Reason: "Closed", Since: when, Checked: &when}},
	}
}

// bare is a document in which nothing is that need not be.
func bare() trust.Document {
	return trust.Document{
		Schema: "/trust.schema.json", Version: trust.Version, Tenant: "acme",
		Controller:    trust.Controller{Name: "Acme GmbH", PrivacyPolicy: "https://www.acme.example/privacy"},
		Region:        trust.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
		SubProcessors: []trust.SubProcessor{{Name: "gone", State: trust.Retired}},
		Encryption:    trust.Encryption{KeyProvider: "Secret"},
		Proofs:        []trust.Proof{},
	}
}

func encode(t *testing.T, d any) []byte {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(trust.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("trust.schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("trust.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func violation(t *testing.T, schema *jsonschema.Schema, data []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestADocumentIsReadAsItWasWritten(t *testing.T) {
	for name, want := range map[string]trust.Document{"full": full(), "bare": bare()} {
		got, err := trust.Parse(encode(t, want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":         "",
		"something else":  `[]`,
		"another version": `{"version":2}`,
		"unknown field":   `{"version":1,"secret":"x"}`,
		"more behind it":  `{"version":1}{}`,
	} {
		if d, err := trust.Parse([]byte(data)); err == nil {
			t.Errorf("%s was read as %+v", name, d)
		}
	}
}

func TestEveryDocumentFollowsThePublishedSchema(t *testing.T) {
	schema := compiled(t)
	for name, d := range map[string]trust.Document{"full": full(), "bare": bare()} {
		if err := violation(t, schema, encode(t, d)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSchemaKnowsEveryFieldAndNoOther(t *testing.T) {
	schema := compiled(t)
	complete := full()
	if path := empty(reflect.ValueOf(complete), "document"); path != "" {
		t.Fatalf("%s is empty in the full document: this test would not see it missing from the schema", path)
	}
	var document map[string]any
	if err := json.Unmarshal(encode(t, complete), &document); err != nil {
		t.Fatal(err)
	}
	document["more"] = 1
	if violation(t, schema, encode(t, document)) == nil {
		t.Error("a field that no document has is accepted")
	}
}

func TestTheSchemaRefusesWhatAReaderCouldNotUse(t *testing.T) {
	schema := compiled(t)
	for name, change := range map[string]func(*trust.Document){
		"no state":                   func(d *trust.Document) { d.SubProcessors[0].State = "" },
		"a place that is no country": func(d *trust.Document) { d.Region.Jurisdiction = "Germany" },
		"a day that is none":         func(d *trust.Document) { d.SubProcessors[0].Record.NoticedAt = "2026-02-30" },
		"an outcome of its own":      func(d *trust.Document) { d.Proofs[0].Holds = "Mostly" },
		"a category of its own":      func(d *trust.Document) { d.SubProcessors[0].Record.DataCategories[0] = "Everything" },
		"a host without port":        func(d *trust.Document) { d.SubProcessors[0].Record.Hosts[0] = "smtp.mail.example" },
		"no list of recipients":      func(d *trust.Document) { d.SubProcessors = nil },
	} {
		d := full()
		change(&d)
		if violation(t, schema, encode(t, d)) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// empty is the path of a field that has its zero value, empty if there is none.
func empty(v reflect.Value, path string) string {
	switch {
	case v.Type() == reflect.TypeFor[time.Time](), v.Kind() != reflect.Struct && v.Kind() != reflect.Slice &&
		v.Kind() != reflect.Pointer:
		if v.IsZero() {
			return path
		}
		return ""
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return path
		}
		return empty(v.Elem(), path)
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 {
			return path
		}
		return empty(v.Index(0), path+"[0]")
	}
	for field, value := range v.Fields() {
		if found := empty(value, strings.Join([]string{path, field.Name}, ".")); found != "" {
			return found
		}
	}
	return ""
}
