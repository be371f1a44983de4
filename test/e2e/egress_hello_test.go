// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/hello/hellotest"
)

// Extensions of a ClientHello that hide its server name, or may do so.
const (
	extensionECH = 0xfe0d
	extensionSNI = 0xffce
)

// hellosNameTheTarget says other things on an established connection than a TLS hello for the host that was asked for.
func hellosNameTheTarget(t *testing.T, way *exit) {
	named := hellotest.For(t, usedHost)
	for _, tc := range []struct {
		name   string
		reason egressconfig.Reason
		first  map[string][]byte
	}{
		{"another server name (SNI)", egressconfig.ReasonServerNameMismatch, map[string][]byte{
			"another": hellotest.For(t, unusedHost), "below": hellotest.For(t, "www."+usedHost),
			"above": hellotest.For(t, "example"), "upper case": hellotest.For(t, "CRM.example"),
			"zero byte": hellotest.For(t, usedHost+"\x00.mail.example"), "address": hellotest.For(t, "11.22.33.12"),
			"in pieces": hellotest.InRecordsOf(3, hellotest.For(t, unusedHost)),
		}},
		{"no server name", egressconfig.ReasonServerNameMissing, map[string][]byte{"none": hellotest.WithoutName(t)}},
		{"an encrypted ClientHello (ECH, GREASE, encrypted SNI)", egressconfig.ReasonEncryptedClientHello,
			map[string][]byte{
				"ECH":           hellotest.WithExtension(t, named, extensionECH, hellotest.OuterECH()),
				"ECH, no name":  hellotest.WithExtension(t, hellotest.WithoutName(t), extensionECH, hellotest.OuterECH()),
				"GREASE":        hellotest.WithExtension(t, named, extensionECH, []byte{0, 0, 1, 0, 1, 0xaa, 0, 0, 0, 0}),
				"encrypted SNI": hellotest.WithExtension(t, named, extensionSNI, []byte{1}),
			}},
		{"no TLS at all, or a second CONNECT", egressconfig.ReasonNotTLS, map[string][]byte{
			"HTTP":         []byte("GET / HTTP/1.1\r\nHost: " + usedHost + "\r\n\r\n"),
			"SMTP":         []byte("EHLO e2e\r\n"),
			"SSH":          []byte("SSH-2.0-e2e\r\n"),
			"CONNECT":      []byte("CONNECT " + unusedHost + ":443 HTTP/1.1\r\nHost: " + unusedHost + "\r\n\r\n"),
			"trailing dot": hellotest.For(t, usedHost+"."),
		}},
	} {
		var names []string
		for name := range tc.first {
			names = append(names, name)
		}
		refusedFor(t, tc.name, names, func(name string) string { return way.alerted(t, tc.first[name]) }, tc.reason)
	}
}

// alerted is why the gateway ends a connection to a declared host on which these are the first bytes.
func (w *exit) alerted(t *testing.T, first []byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, reader, answer, err := w.connect(ctx, net.JoinHostPort(usedHost, "443"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_ = answer.Body.Close()
	if got := denial(answer); got != "open" {
		return got
	}
	if _, err := conn.Write(first); err != nil {
		return err.Error()
	}
	said, err := io.ReadAll(io.LimitReader(reader, 1<<10))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && len(said) == 0 {
		return err.Error()
	}
	return reasonOf(said)
}

// reasonOf reads the alert that a connection ends with.
func reasonOf(record []byte) string {
	const alert, size = 21, 7
	if len(record) == size && record[0] == alert {
		if reason, known := egressconfig.ReasonOfAlert(record[size-1]); known {
			return string(reason)
		}
	}
	return fmt.Sprintf("no alert of the gateway: % x", record)
}

// reach asks the recipient behind a request who answers, with a Host of its own inside TLS.
func (w *exit) reach(t *testing.T, request, serverName, host string) (echo, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openPatience)
	defer cancel()
	conn, err := w.shakeHandsAfter(ctx, request, serverName)
	if err != nil {
		return echo{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(openPatience)); err != nil {
		return echo{}, err
	}
	return ask(conn, host, "/")
}
