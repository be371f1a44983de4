// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package redacted holds the types that carry personal data and secrets through the chat server. They print as a
// placeholder in every way a value usually slips into a log: fmt, slog, JSON and error texts. Reading the value takes a
// call of Reveal, which a reviewer can search for.
package redacted

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Placeholder is what every redacted value prints as.
const Placeholder = "[redacted]"

// String is text that must not be printed. The zero value is the empty string. It is held behind a pointer because fmt
// prints unexported fields by reflection, without asking their methods: all it finds there is an address.
type String struct{ value *string }

// New wraps s.
func New(s string) String { return String{value: &s} }

// Reveal returns the text itself.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsEmpty tells whether there is no text.
func (s String) IsEmpty() bool { return s.Reveal() == "" }

// Equal compares the texts, not in constant time: secrets are compared by their hashes.
func (s String) Equal(other String) bool { return s.Reveal() == other.Reveal() }

// String returns the placeholder.
func (s String) String() string { return Placeholder }

// GoString returns the placeholder, for %#v.
func (s String) GoString() string { return Placeholder }

// Format prints the placeholder whatever the verb: %d of a struct would otherwise reach the unexported field.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Placeholder) }

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// MarshalJSON writes the placeholder.
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(Placeholder) }

// MarshalText writes the placeholder, also for map keys.
func (s String) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }

// errNotString does not quote the input: it may be a credential.
var errNotString = errors.New("want a JSON string")

// UnmarshalJSON accepts a JSON string and nothing else, null included: a credential that is an object or a number must
// never reach a comparison or a query.
func (s *String) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		return errNotString
	}
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return errNotString
	}
	s.value = &value
	return nil
}
