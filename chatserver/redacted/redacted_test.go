// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package redacted_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

const seeded = "Ada Lovelace <ada@example.org>"

type holder struct {
	Name   redacted.String
	Ptr    *redacted.String
	hidden redacted.String
	List   []redacted.String
}

func newHolder() holder {
	s := redacted.New(seeded)
	return holder{Name: s, Ptr: &s, hidden: s, List: []redacted.String{s}}
}

func TestNoVerbPrintsTheValue(t *testing.T) {
	h := newHolder()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		for _, value := range []any{h.Name, h.Ptr, h.List, h, &h} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "Ada") || strings.Contains(got, "416461") {
				t.Errorf("Sprintf(%q, %T) = %q", verb, value, got)
			}
		}
	}
	if err := errors.Join(fmt.Errorf("greet %v", h.Name)); strings.Contains(err.Error(), "Ada") {
		t.Errorf("error text = %q", err)
	}
}

func TestStructuresThatHoldAValuePrintThePlaceholder(t *testing.T) {
	h := newHolder()
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(verb, h.Name); got != redacted.Placeholder {
			t.Errorf("Sprintf(%q) = %q, want the placeholder", verb, got)
		}
	}
	data, err := json.Marshal(map[redacted.String]any{h.hidden: h})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "Ada") {
		t.Errorf("json = %s", data)
	}
}

func TestBothSlogHandlersPrintThePlaceholder(t *testing.T) {
	h := newHolder()
	var out bytes.Buffer
	handlers := []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)}
	for _, handler := range handlers {
		nested := map[string]any{"n": h.Name}
		slog.New(handler).Info("greeting", "name", h.Name, "ptr", h.Ptr, "list", h.List, "nested", nested)
	}
	if strings.Contains(out.String(), "Ada") {
		t.Errorf("log = %s", out.String())
	}
	if got := strings.Count(out.String(), redacted.Placeholder); got < 8 {
		t.Errorf("log shows the placeholder %d times, want at least 8: %s", got, out.String())
	}
}

func TestUnmarshalAcceptsOnlyStrings(t *testing.T) {
	for _, input := range []string{`null`, `1`, `true`, `["a"]`, `{"$ne":""}`} {
		var s redacted.String
		if err := json.Unmarshal([]byte(input), &s); err == nil {
			t.Errorf("Unmarshal(%s) succeeded", input)
		}
	}
	var s redacted.String
	if err := json.Unmarshal([]byte(`"Ada \u00e9"`), &s); err != nil || s.Reveal() != "Ada é" {
		t.Errorf("Unmarshal = %v, %v", s.Reveal() == "Ada é", err)
	}
}
