// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Text is personal data or a secret in its wire form: JSON carries the value, everything else prints the placeholder.
type Text struct{ redacted.String }

// NewText wraps s.
func NewText(s string) Text { return Text{redacted.New(s)} }

// MarshalJSON reveals the text: frames are encoded for their recipient only, never for a log.
func (t Text) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(t.Reveal())
	if err != nil {
		return nil, fmt.Errorf("encode text: %w", err)
	}
	return data, nil
}

// IsZero makes omitzero leave out empty text.
func (t Text) IsZero() bool { return t.IsEmpty() }

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// Time is a point in time with millisecond precision.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339 in UTC with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timeFormat + `"`)), nil
}
