// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/hello/hellotest"
)

// ech is an extension of a ClientHello that hides its server name, or may do so.
const ech = 0xfe0d

func TestWhatFollowsTheAnswerMustBeTLSForTheDeclaredHost(t *testing.T) {
	named := hellotest.For(t, mailHost)
	for name, test := range map[string]struct {
		first  []byte
		reason egressconfig.Reason
	}{
		"another name":   {hellotest.For(t, "evil.example"), egressconfig.ReasonServerNameMismatch},
		"a name below":   {hellotest.For(t, "x."+mailHost), egressconfig.ReasonServerNameMismatch},
		"a name above":   {hellotest.For(t, "mailer.example"), egressconfig.ReasonServerNameMismatch},
		"upper case":     {hellotest.For(t, "API.mailer.example"), egressconfig.ReasonServerNameMismatch},
		"a zero byte":    {hellotest.For(t, mailHost+"\x00.evil.example"), egressconfig.ReasonServerNameMismatch},
		"the address":    {hellotest.For(t, mailAddr), egressconfig.ReasonServerNameMismatch},
		"a trailing dot": {hellotest.For(t, mailHost+"."), egressconfig.ReasonNotTLS},
		"no name":        {hellotest.WithoutName(t), egressconfig.ReasonServerNameMissing},
		"an empty name": {
			hellotest.WithExtension(t, hellotest.WithoutName(t), 0, sni("")), egressconfig.ReasonNotTLS,
		},
		"two names": {hellotest.WithExtension(t, named, 0, sni("evil.example")), egressconfig.ReasonNotTLS},
		"another name in pieces": {
			hellotest.InRecordsOf(3, hellotest.For(t, "evil.example")), egressconfig.ReasonServerNameMismatch,
		},
		"ECH": {
			hellotest.WithExtension(t, named, ech, hellotest.OuterECH()), egressconfig.ReasonEncryptedClientHello,
		},
		"ECH without a name": {
			hellotest.WithExtension(t, hellotest.WithoutName(t), ech, hellotest.OuterECH()),
			egressconfig.ReasonEncryptedClientHello,
		},
		"ECH in pieces": {
			hellotest.InRecordsOf(7, hellotest.WithExtension(t, named, ech, hellotest.OuterECH())),
			egressconfig.ReasonEncryptedClientHello,
		},
		"a draft of ECH": {hellotest.WithExtension(t, named, 0xfe0a, []byte{1}), egressconfig.ReasonEncryptedClientHello},
		"encrypted SNI":  {hellotest.WithExtension(t, named, 0xffce, []byte{1}), egressconfig.ReasonEncryptedClientHello},
		"plain HTTP":     {[]byte("GET / HTTP/1.1\r\nHost: " + mailHost + "\r\n\r\n"), egressconfig.ReasonNotTLS},
		"plain SMTP":     {[]byte("EHLO acme\r\n"), egressconfig.ReasonNotTLS},
		"SSH":            {[]byte("SSH-2.0-OpenSSH_9.2\r\n"), egressconfig.ReasonNotTLS},
		"other records":  {[]byte{23, 3, 3, 0, 3, 1, 2, 3}, egressconfig.ReasonNotTLS},
		"SSL 2":          {[]byte{0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10}, egressconfig.ReasonNotTLS},
		"a hello without end": {
			hellotest.WithExtension(t, named, 21, make([]byte, 20<<10)), egressconfig.ReasonNotTLS,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			c := g.establish(t, mail)
			c.send(string(test.first))
			assertAlert(t, c, test.reason)
			g.assertDecided(t, test.reason)
			g.assertNotDialled(t)
		})
	}
}

// sni is a server_name extension's content.
func sni(name string) []byte {
	n := byte(len(name) & 0xff)
	return append([]byte{0, n + 3, 0, 0, n}, name...)
}

// TestAnExtensionThatOnlyLooksEncryptedIsRefusedToo: GREASE looks like the real thing to everybody but its receiver.
func TestAnExtensionThatOnlyLooksEncryptedIsRefusedToo(t *testing.T) {
	g := startGateway(t, nil)
	c := g.establish(t, mail)
	grease := hellotest.OuterECH()
	grease[5] = 0xaa // a configuration that nobody has
	c.send(string(hellotest.WithExtension(t, hellotest.For(t, mailHost), ech, grease)))
	assertAlert(t, c, egressconfig.ReasonEncryptedClientHello)
}

func TestAHelloMayComeInPieces(t *testing.T) {
	g := startGateway(t, nil)
	first := hellotest.InRecordsOf(5, hellotest.For(t, mailHost))
	c := g.establish(t, mail)
	for piece := range slices.Chunk(first, 3) {
		c.send(string(piece))
	}
	if answer, err := c.reader.Peek(7); err != nil || answer[0] != 22 {
		t.Errorf("the recipient answered %x, %v; want a handshake record", answer, err)
	}
}

// TestAHelloThatDoesNotWaitIsJudgedAlike sends CONNECT and ClientHello in one write.
func TestAHelloThatDoesNotWaitIsJudgedAlike(t *testing.T) {
	for name, reason := range map[string]egressconfig.Reason{
		mailHost: "", "evil.example": egressconfig.ReasonServerNameMismatch,
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, nil)
			c, response := g.ask(t, connectTo(mail)+string(hellotest.For(t, name)))
			if response.StatusCode != http.StatusOK {
				t.Fatalf("answered %+v", response)
			}
			if reason != "" {
				assertAlert(t, c, reason)
				g.assertNotDialled(t)
				return
			}
			if answer, err := c.reader.Peek(1); err != nil || answer[0] != 22 {
				t.Errorf("the recipient answered %x, %v; want a handshake record", answer, err)
			}
		})
	}
}

// TestARecipientMustStillProveItself: the gateway passes on what the recipient shows, it vouches for nobody.
func TestARecipientMustStillProveItself(t *testing.T) {
	g := startGateway(t, nil)
	g.outside.at(mailAddr+":443", startEcho(t, newAuthority(t), mailHost))
	conn := tls.Client(g.establish(t, mail), &tls.Config{ServerName: mailHost, RootCAs: g.outsideCA.roots()})
	if err := conn.HandshakeContext(t.Context()); err == nil {
		t.Error("a stranger passed for the recipient")
	}
}
