// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egresstest

import (
	"errors"
	"io"
	"net"
	"testing"
)

func TestAConnectionThatComesAtTheEndIsClosed(t *testing.T) {
	g := Start(t, Deny("NotDeclared"))
	open, kept := net.Pipe()
	if !g.admit(kept) {
		t.Error("a connection that comes in time is turned away")
	}
	g.end()
	mustBeClosed(t, open)
	late, turned := net.Pipe()
	if g.admit(turned) {
		t.Error("a connection that comes late is served: nobody would end it")
	}
	mustBeClosed(t, late)
}

func mustBeClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("it is still open: %v", err)
	}
}
