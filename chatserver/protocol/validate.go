// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Complaints about fields. They are sent to the client and never quote what it sent.
var (
	errClientID     = errors.New("clientId: want a UUID")
	errConversation = errors.New("conversation: want a UUID")
	errTarget       = errors.New("target: want a UUID")
	errBody         = errors.New("body: want 1 to 4000 characters, not only spaces, no controls but tab and newline")
	errName         = errors.New("contact.name: want at most 200 characters on one line")
	errEmail        = errors.New("contact.email: want at most 254 characters with one @ and no spaces")
	errPhone        = errors.New("contact.phone: want 3 to 20 digits and nothing but + ( ) / . - and spaces beside them")
	errExternalID   = errors.New("contact.externalId: want at most 200 characters on one line")
)

// Validate reports the first field that breaks the protocol's rules.
func (s *Send) Validate() error { return s.Entry().validate() }

// Validate reports the first field that breaks the protocol's rules.
func (e *Edit) Validate() error { return e.Entry().validate() }

// Validate reports the first field that breaks the protocol's rules.
func (d *Delete) Validate() error { return d.Entry().validate() }

func (e Entry) validate() error {
	switch {
	case e.Conversation == uuid.Nil:
		return errConversation
	case e.ClientID == uuid.Nil:
		return errClientID
	case e.Kind != KindMessage && e.Target == uuid.Nil:
		return errTarget
	case e.Kind != KindDeletion && !validBody(e.Body.Reveal()):
		return errBody
	}
	return nil
}

// Validate reports the first field that breaks the protocol's rules.
func (o *Open) Validate() error {
	if o.ClientID == uuid.Nil {
		return errClientID
	}
	if o.Contact == nil {
		return nil
	}
	return o.Contact.Validate()
}

// Validate reports the first field that breaks the protocol's rules.
func (c *Contact) Validate() error {
	switch {
	case !validLine(c.Name.Reveal(), MaxName):
		return errName
	case !validEmail(c.Email.Reveal()):
		return errEmail
	case !validPhone(c.Phone.Reveal()):
		return errPhone
	case !validLine(c.ExternalID.Reveal(), MaxExternalID):
		return errExternalID
	}
	return nil
}

func validBody(body string) bool {
	return utf8.RuneCountInString(body) <= MaxMessage && strings.TrimSpace(body) != "" &&
		!strings.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

func validLine(line string, limit int) bool {
	return utf8.RuneCountInString(line) <= limit && !strings.ContainsFunc(line, unicode.IsControl)
}

// validEmail only keeps out what cannot be an address: whether it is one shows when someone writes to it.
func validEmail(email string) bool {
	if email == "" {
		return true
	}
	local, domain, ok := strings.Cut(email, "@")
	return ok && local != "" && domain != "" && !strings.Contains(domain, "@") &&
		validLine(email, MaxEmail) && !strings.ContainsFunc(email, unicode.IsSpace)
}

// validPhone takes numbers as people write them: which of them exist is not known here.
func validPhone(phone string) bool {
	const fewest, most = 3, 20
	if phone == "" {
		return true
	}
	digits := 0
	for i, r := range phone {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r == '+' && strings.TrimSpace(phone[:i]) == "":
		case !strings.ContainsRune(" \u00a0()/.-\u2010\u2011\u2013", r):
			return false
		}
	}
	return digits >= fewest && digits <= most && utf8.RuneCountInString(phone) <= MaxPhone
}
