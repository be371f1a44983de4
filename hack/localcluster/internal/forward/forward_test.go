// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"io"
	"net"
	"testing"
)

// listen opens a port that is closed with the test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// echoAfterEOF answers with everything it got once the client has finished sending.
func echoAfterEOF(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		content, _ := io.ReadAll(connection)
		_, _ = connection.Write(content)
		_ = connection.Close()
	}
}

func exchange(t *testing.T, address, message string) string {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, message); err != nil {
		t.Fatal(err)
	}
	tcp, ok := connection.(*net.TCPConn)
	if !ok {
		t.Fatalf("the connection is a %T", connection)
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestTheNextTargetServesWhenTheFirstIsDown(t *testing.T) {
	down, up, front := listen(t), listen(t), listen(t)
	_ = down.Close()
	go echoAfterEOF(up)
	forwarder := New([]string{down.Addr().String(), up.Addr().String()})
	go func() { _ = forwarder.Serve(t.Context(), front) }()
	if answer := exchange(t, front.Addr().String(), "hello"); answer != "hello" {
		t.Errorf("answer is %q", answer)
	}
	if forwarder.first.Load() != 1 {
		t.Error("the target that answered is not tried first")
	}
}

func TestTheClientIsClosedWhenNoTargetAnswers(t *testing.T) {
	down, front := listen(t), listen(t)
	_ = down.Close()
	go func() { _ = New([]string{down.Addr().String()}).Serve(t.Context(), front) }()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if content, err := io.ReadAll(connection); err != nil || len(content) > 0 {
		t.Errorf("read %q, %v", content, err)
	}
}
