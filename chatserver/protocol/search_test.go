// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"strings"
	"testing"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

func TestPhoneNumbersAreTakenAsPeopleWriteThem(t *testing.T) {
	for _, phone := range []string{
		"", "112", "+49 (0)30 123-456", "0049/30/123456", "030\u00a0123\u2011456", " +1.555.0100 ", "٠٣٠١٢٣٤",
	} {
		if err := (&protocol.Contact{Phone: protocol.NewText(phone)}).Validate(); err != nil {
			t.Errorf("%q: %v", phone, err)
		}
	}
	for _, phone := range []string{
		"12", "call 112", "030+1234", "++49301234", "123456789012345678901", "1\n23", "ada@example.org", "+",
		strings.Repeat(" ", 40) + "123",
	} {
		if err := (&protocol.Contact{Phone: protocol.NewText(phone)}).Validate(); err == nil {
			t.Errorf("%q is taken", phone)
		}
	}
}

func TestASearchAsksForOnePersonAtMost(t *testing.T) {
	text := protocol.NewText
	for name, tt := range map[string]struct {
		request protocol.SearchRequest
		ok      bool
	}{
		"words":         {protocol.SearchRequest{Text: text("hello")}, true},
		"longest":       {protocol.SearchRequest{Text: text(strings.Repeat("é", 200))}, true},
		"who":           {protocol.SearchRequest{ExternalID: text("K-7")}, true},
		"words of whom": {protocol.SearchRequest{Text: text("hello"), Phone: text("0301234")}, true},
		"nothing":       {protocol.SearchRequest{Before: "x"}, false},
		"two people":    {protocol.SearchRequest{Email: text("a@b"), Phone: text("0301234")}, false},
		"too long":      {protocol.SearchRequest{Text: text(strings.Repeat("é", 201))}, false},
		"two lines":     {protocol.SearchRequest{Text: text("a\nb")}, false},
		"no address":    {protocol.SearchRequest{Email: text("ada")}, false},
		"long place":    {protocol.SearchRequest{Text: text("hello"), Before: strings.Repeat("x", 65)}, false},
	} {
		if err := tt.request.Validate(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
