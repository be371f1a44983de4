// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig_test

import (
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
)

func TestAnEndpointHasOneSpelling(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, text := range []string{
		"api.mailer.example:443", "a.b:1", "xn--bcher-kva.example:65535", "0x7f.example:443", label + ".example:443",
	} {
		e, err := egressconfig.ParseEndpoint(text)
		if err != nil || e.String() != text {
			t.Errorf("%s: understood as %s, %v", text, e, err)
		}
	}
}

func TestEveryOtherSpellingIsRefused(t *testing.T) {
	for _, text := range []string{
		"", ":", "api.mailer.example", "api.mailer.example:", ":443", "localhost:443",
		"api.mailer.example.:443", "API.mailer.example:443", ".api.mailer.example:443", "api..example:443",
		"*.mailer.example:443", "-api.example:443", "api-.example:443", "a_b.example:443",
		"api.mailer.example:0443", "api.mailer.example:+443", "api.mailer.example:-1", "api.mailer.example:0",
		"api.mailer.example:65536", "api.mailer.example:443 ", " api.mailer.example:443", "api.mailer.example:0x1bb",
		"api.mailer.example:https", "api.mailer.example:443:443", "api.mailer.example:443/", "api.mailer.example:4_43",
		"api.mailer.example:18446744073709552059", // 443 + 2^64
		"user@api.mailer.example:443", "user:secret@api.mailer.example:443", "api.mailer.example:443@other.example:443",
		"https://api.mailer.example:443", "//api.mailer.example:443", "api.mailer.example:443?x", "api.mailer.example%2e:443",
		"[api.mailer.example]:443", "[::1]:443", "::1:443", "[::ffff:127.0.0.1]:443", "::ffff:127.0.0.1:443",
		"127.0.0.1:443", "127.1:443", "2130706433:443", "0x7f000001:443", "0177.0.0.1:443", "0x7f.0.0.1:443",
		"127.0.0.0x1:443", "1.2.3.4.:443",
		"api.mailer.example\x00.other.example:443", "api.mailer.example\n:443", "api.mailer.example:443\r\nX: y",
		"b\u00fccher.example:443", "\u212aiosk.example:443", "api\u3002mailer.example:443",
		strings.Repeat("a", 64) + ".example:443", strings.Repeat("a.", 126) + "ab:443",
	} {
		if e, err := egressconfig.ParseEndpoint(text); err == nil {
			t.Errorf("%q is understood as %s", text, e)
		}
	}
}

// FuzzParseEndpoint finds texts that are taken although the endpoint is written otherwise.
func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{"api.mailer.example:443", "[::1]:443", "a.b:0443", "a@b.c:1", "a.b:65979"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := egressconfig.ParseEndpoint(text)
		if err == nil && e.String() != text {
			t.Fatalf("%q is understood as %s", text, e)
		}
	})
}

// FuzzParse finds that a configuration that was taken is taken again as it was understood.
func FuzzParse(f *testing.F) {
	f.Add([]byte(complete))
	for _, seed := range []string{"", "{}", "[]", "kind: EgressConfiguration", "a: &a [*a]", "recipients: [{}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := egressconfig.Parse(data)
		if err != nil {
			if c != nil {
				t.Fatalf("a configuration with error %v", err)
			}
			return
		}
		understood, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := egressconfig.Parse(understood)
		if err != nil {
			t.Fatalf("understood as\n%s\nwhich is refused: %v", understood, err)
		}
		first, _ := c.Digest()
		if second, _ := again.Digest(); first != second {
			t.Fatalf("understood as\n%s\nwhich has another digest", understood)
		}
	})
}

func TestEveryReasonIsToldInOneWay(t *testing.T) {
	seen := map[egressconfig.Reason]bool{}
	for _, reason := range egressconfig.Reasons() {
		if seen[reason] {
			t.Errorf("%s is there twice", reason)
		}
		seen[reason] = true
		if alert := reason.Alert(); alert != 0 {
			if back, ok := egressconfig.ReasonOfAlert(alert); !ok || back != reason || alert < 224 {
				t.Errorf("%s is alert %d, which means %s", reason, alert, back)
			}
		}
	}
	for _, alert := range []byte{0, 40, 112, 223, 255} {
		if reason, ok := egressconfig.ReasonOfAlert(alert); ok {
			t.Errorf("alert %d means %s", alert, reason)
		}
	}
}
