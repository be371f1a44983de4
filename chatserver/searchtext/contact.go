// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package searchtext

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Email makes the spellings of an address that people take for the same one equal.
func Email(email redacted.String) redacted.String {
	return redacted.New(strings.ToLower(strings.TrimSpace(email.Reveal())))
}

// Phone makes the spellings of a number equal: what remains are its digits, after a plus if the country is among them.
// A number without its country is another than the same with it, because the country cannot be known.
func Phone(phone redacted.String) redacted.String {
	const abroad, trunk = "00", "(0)"
	text := strings.TrimSpace(norm.NFKC.String(phone.Reveal()))
	digits := strings.Map(keepDigits, text)
	if !strings.HasPrefix(text, "+") && !strings.HasPrefix(digits, abroad) {
		return redacted.New(digits)
	}
	// The zero in brackets is dialled only without the country.
	digits = strings.Map(keepDigits, strings.Replace(text, trunk, "", 1))
	return redacted.New("+" + strings.TrimPrefix(digits, abroad))
}

func keepDigits(r rune) rune {
	if r = plainDigit(r); r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// ExternalID is an id of the customer's own making: exact, apart from how its characters are composed.
func ExternalID(id redacted.String) redacted.String {
	return redacted.New(norm.NFC.String(id.Reveal()))
}
