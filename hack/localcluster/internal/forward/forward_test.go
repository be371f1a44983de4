// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"io"
	"net"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
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

// refusing is an address whose port is taken, with nobody listening.
func refusing(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	address, ok := name.(*unix.SockaddrInet4)
	if err != nil || !ok {
		t.Fatalf("bound to %v, %v", name, err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port))
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
	down, up, front := refusing(t), listen(t), listen(t)
	go echoAfterEOF(up)
	forwarder := New([]string{down, up.Addr().String()})
	go func() { _ = forwarder.Serve(t.Context(), front) }()
	if answer := exchange(t, front.Addr().String(), "hello"); answer != "hello" {
		t.Errorf("answer is %q", answer)
	}
	if forwarder.first.Load() != 1 {
		t.Error("the target that answered is not tried first")
	}
}

func TestTheClientIsClosedWhenNoTargetAnswers(t *testing.T) {
	down, front := refusing(t), listen(t)
	go func() { _ = New([]string{down}).Serve(t.Context(), front) }()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if content, err := io.ReadAll(connection); err != nil || len(content) > 0 {
		t.Errorf("read %q, %v", content, err)
	}
}
