// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"fmt"
	"net"
	"testing"
)

func TestAReservedPortIsFreeForItsServerAndForNobodyElse(t *testing.T) {
	port := Reserve(t)
	for range 2 {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatalf("its own server cannot listen: %v", err)
		}
		_ = listener.Close()
	}
	if claim(t.Context(), port) {
		t.Error("it is given away twice")
	}
}

func TestAPortOnWhichSomebodyListensIsNotGivenAway(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", Reserve(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %s", listener.Addr())
	}
	claims.Lock()
	for _, conn := range claims.open {
		_ = conn.Close()
	}
	claims.open = nil
	claims.Unlock()
	if claim(t.Context(), address.Port) {
		t.Error("it is given away")
	}
}
