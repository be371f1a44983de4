// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package link_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/chattenant/chattenant/test/chaos/link"
)

// silence is how long a test listens for what must not come.
const silence = 200 * time.Millisecond

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// echo answers every line with itself and reports what it got.
func echo(t *testing.T) (address string, heard <-chan string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines := make(chan string, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn, lines)
		}
	}()
	return listener.Addr().String(), lines
}

func answer(conn net.Conn, lines chan<- string) {
	defer func() { _ = conn.Close() }()
	for scanner := bufio.NewScanner(conn); scanner.Scan(); {
		lines <- scanner.Text()
		_, _ = fmt.Fprintln(conn, scanner.Text())
	}
}

func newLink(t *testing.T, target string) *link.Link {
	t.Helper()
	l, err := link.New(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

type caller struct {
	net.Conn
	lines *bufio.Reader
}

func call(t *testing.T, l *link.Link) *caller {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", l.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &caller{Conn: conn, lines: bufio.NewReader(conn)}
}

func (c *caller) say(line string) { _, _ = fmt.Fprintln(c, line) }

func (c *caller) hear(within time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	line, err := c.lines.ReadString('\n')
	return line, err
}

func (c *caller) expect(t *testing.T, line string) {
	t.Helper()
	if got, err := c.hear(patience); err != nil || got != line+"\n" {
		t.Fatalf("heard %q, %v", got, err)
	}
}

func (c *caller) expectSilence(t *testing.T) {
	t.Helper()
	if got, err := c.hear(silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q, %v", got, err)
	}
}

func (c *caller) expectEnd(t *testing.T) {
	t.Helper()
	if got, err := c.hear(patience); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q, %v", got, err)
	}
}

// expectRefusal takes a connection that is not made, or not kept.
func expectRefusal(t *testing.T, l *link.Link) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", l.Address())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	(&caller{Conn: conn, lines: bufio.NewReader(conn)}).expectEnd(t)
}

func TestALinkCarriesBothWaysAndEnds(t *testing.T) {
	address, _ := echo(t)
	c := call(t, newLink(t, address))
	c.say("hello")
	c.expect(t, "hello")
	c.say("bye")
	if conn, ok := c.Conn.(*net.TCPConn); !ok || conn.CloseWrite() != nil {
		t.Fatal("cannot end")
	}
	c.expect(t, "bye")
	if _, err := c.hear(patience); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestACutLinkRefusesUntilItIsHealed(t *testing.T) {
	address, _ := echo(t)
	l := newLink(t, address)
	before := call(t, l)
	before.say("hello")
	before.expect(t, "hello")
	l.Cut()
	before.expectEnd(t)
	expectRefusal(t, l)
	l.Heal()
	after := call(t, l)
	after.say("hello")
	after.expect(t, "hello")
}

func TestAHeldLinkDeliversEverythingOnceHealed(t *testing.T) {
	address, heard := echo(t)
	l := newLink(t, address)
	before := call(t, l)
	before.say("one")
	before.expect(t, "one")
	<-heard
	l.Hold()
	before.say("two")
	during := call(t, l)
	during.say("three")
	before.expectSilence(t)
	during.expectSilence(t)
	if len(heard) > 0 {
		t.Fatalf("the server heard %q", <-heard)
	}
	l.Heal()
	before.expect(t, "two")
	during.expect(t, "three")
}

func TestLostRepliesReachTheServerOnlyAndEndTheConnection(t *testing.T) {
	address, heard := echo(t)
	l := newLink(t, address)
	c := call(t, l)
	c.say("one")
	c.expect(t, "one")
	l.LoseReplies()
	c.say("two")
	c.expectSilence(t)
	if one, two := <-heard, <-heard; one != "one" || two != "two" {
		t.Errorf("the server heard %q, %q", one, two)
	}
	// The server may yet be about to answer.
	for deadline := time.Now().Add(patience); l.Lossy() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was lost")
		}
	}
	l.Heal()
	c.expectEnd(t)
}

func TestAnAbandonedConnectionStaysSilentAndNewOnesAreCarried(t *testing.T) {
	address, heard := echo(t)
	l := newLink(t, address)
	old := call(t, l)
	old.say("one")
	old.expect(t, "one")
	<-heard
	l.Abandon()
	old.say("two")
	old.expectSilence(t)
	fresh := call(t, l)
	fresh.say("three")
	fresh.expect(t, "three")
	if got := <-heard; got != "three" {
		t.Errorf("the server heard %q", got)
	}
	l.Heal()
	old.expectSilence(t)
	l.Reset()
	old.expectEnd(t)
	fresh.expectEnd(t)
}

func TestALinkWithoutAServerEndsItsConnections(t *testing.T) {
	l := newLink(t, "")
	expectRefusal(t, l)
	address, _ := echo(t)
	l.SetTarget(address)
	c := call(t, l)
	c.say("hello")
	c.expect(t, "hello")
}
