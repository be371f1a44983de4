// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	stdjson "encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// appender is a frame that writes itself. Events and acknowledgements are most of what a server says, and reflection
// would be a sixth of all its work.
type appender interface {
	appendTo(object) object
}

// object is a JSON object that is being written, from its opening brace on.
type object []byte

// appendFrame writes f as encoding/json would.
func appendFrame(f appender, kind FrameType) []byte {
	const usual = 640
	return append(f.appendTo(append(make(object, 0, usual), '{').text("type", string(kind))), '}')
}

func (o object) key(name string) object {
	if len(o) > 1 && o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	return append(append(append(o, '"'), name...), '"', ':')
}

func (o object) id(name string, id uuid.UUID) object {
	const textLength = 36
	o = append(o.key(name), '"')
	text, _ := id.MarshalText() // Never fails.
	return append(append(o, text[:textLength]...), '"')
}

func (o object) number(name string, n int64) object { return strconv.AppendInt(o.key(name), n, 10) }

// text writes a string.
func (o object) text(name, s string) object {
	o = o.key(name)
	if isPlain(s) {
		return append(append(append(o, '"'), s...), '"')
	}
	quoted, _ := stdjson.Marshal(s) // Strings never fail.
	return append(o, quoted...)
}

func (o object) time(name string, t time.Time) object {
	return append(t.UTC().AppendFormat(append(o.key(name), '"'), timeFormat), '"')
}

// isPlain tells that a string is its own JSON form. encoding/json also escapes what has a meaning in HTML.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func (e *Event) appendTo(o object) object {
	o = o.id("conversation", e.Conversation).number("epoch", e.Epoch).number("seq", e.Seq).id("id", e.ID).
		text("kind", string(e.Kind))
	o = append(o.key("author"), '{').text("kind", string(e.Author.Kind)).id("id", e.Author.ID).
		text("displayName", e.Author.DisplayName.Reveal())
	o = append(o, '}').id("clientId", e.ClientID)
	if e.Target != nil {
		o = o.id("target", *e.Target)
	}
	o = o.text("body", e.Body.Reveal())
	if e.Erased {
		o = append(o.key("erased"), "true"...)
	}
	return o.time("at", e.At.Time)
}

func (a *Ack) appendTo(o object) object {
	return o.id("clientId", a.ClientID).id("conversation", a.Conversation).number("epoch", a.Epoch).
		number("seq", a.Seq).id("id", a.ID).time("at", a.At.Time)
}
