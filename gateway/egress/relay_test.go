// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/egress"
)

func TestALargeTransferArrivesWhole(t *testing.T) {
	const size = 8 << 20
	g := startGateway(t, nil)
	conn := g.reach(t, mailHost, mail)
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan [sha256.Size]byte, 1)
	go func() {
		hash := sha256.New()
		_, _ = io.CopyN(io.MultiWriter(conn, hash), rand.Reader, size)
		_ = conn.CloseWrite()
		sent <- [sha256.Size]byte(hash.Sum(nil))
	}()
	hash := sha256.New()
	n, err := io.Copy(hash, conn)
	if err != nil || n != size {
		t.Fatalf("read %d bytes, %v; want %d", n, err, size)
	}
	if [sha256.Size]byte(hash.Sum(nil)) != <-sent {
		t.Error("the bytes that came back are not those that were sent")
	}
}

// hear lets the mailer be played by serve, and returns a connection that has just sent its hello.
func (g *gateway) hear(tb testing.TB, serve func(*net.TCPConn)) *client {
	tb.Helper()
	g.outside.at(mailAddr+":443", startServer(tb, serve))
	c := g.establish(tb, mail)
	c.send(string(helloFor(tb, mailHost)))
	return c
}

func TestTheRecipientMayAnswerAfterTheClientHasFinished(t *testing.T) {
	answer := bytes.Repeat([]byte("answer "), 1<<18)
	g := startGateway(t, nil)
	c := g.hear(t, func(conn *net.TCPConn) {
		_, _ = io.Copy(io.Discard, conn)
		_, _ = conn.Write(answer)
	})
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := assertClosed(t, c); !bytes.Equal(got, answer) {
		t.Errorf("got %d bytes, want %d", len(got), len(answer))
	}
}

func TestTheClientMaySendAfterTheRecipientHasFinished(t *testing.T) {
	g := startGateway(t, nil)
	heard := make(chan string, 1)
	c := g.hear(t, func(conn *net.TCPConn) {
		_ = conn.CloseWrite()
		all, _ := io.ReadAll(conn)
		heard <- string(all)
	})
	assertClosed(t, c)
	c.send("afterthought")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(<-heard, "afterthought") {
		t.Error("what the client sent last did not arrive")
	}
}

func TestIdleAndHalfClosedConnectionsAreCut(t *testing.T) {
	for name, test := range map[string]struct {
		limit func(*egressconfig.Limits)
		serve func(*net.TCPConn)
	}{
		"idle": {func(l *egressconfig.Limits) { l.IdleSeconds = 1 }, nobody},
		"half closed": {func(l *egressconfig.Limits) { l.HalfClosedSeconds = 1 }, func(conn *net.TCPConn) {
			_ = conn.CloseWrite()
			nobody(conn)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, test.limit)
			assertClosed(t, g.hear(t, test.serve))
			eventually(t, "the connection has ended", func() bool {
				return g.metric(t, "active_connections", "mailer") == 0
			})
			g.assertDecided(t, egress.ResultRelayed)
		})
	}
}

func TestARestingConnectionOutlivesItsRequestsLimits(t *testing.T) {
	g := startGateway(t, func(l *egressconfig.Limits) { l.RequestSeconds, l.HelloSeconds = 3, 3 })
	conn := g.reach(t, mailHost, mail)
	assertEcho(t, conn, "first")
	time.Sleep(3100 * time.Millisecond)
	assertEcho(t, conn, "second")
}

func TestWhatPassedIsCountedAndLoggedForItsRecipient(t *testing.T) {
	g := startGateway(t, nil)
	first := helloFor(t, mailHost)
	before := float64(time.Now().Unix())
	c := g.hear(t, func(conn *net.TCPConn) {
		_, _ = io.CopyN(io.Discard, conn, int64(len(first))+10)
		_, _ = conn.Write(make([]byte, 123))
	})
	c.send("0123456789")
	assertClosed(t, c)
	_ = c.CloseWrite()
	g.assertDecided(t, egress.ResultRelayed)
	for name, want := range map[string]float64{"sent": float64(len(first)) + 10, "received": 123} {
		if got := g.metric(t, "bytes_total", name, "mailer"); got != want {
			t.Errorf("%s: %v bytes, want %v", name, got, want)
		}
	}
	if got := g.metric(t, "last_used_timestamp_seconds", "mailer"); got < before {
		t.Errorf("last used at %v, want after %v", got, before)
	}
	if got := g.metric(t, "connect_seconds"); got != 1 {
		t.Errorf("%v connects observed, want 1", got)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(g.log(), `"result"="Relayed"`) })
	for _, want := range []string{`"recipient"="mailer"`, `"host"="api.mailer.example"`, `"port"=443`, `"received"=123`} {
		if !strings.Contains(g.log(), want) {
			t.Errorf("the log lacks %s:\n%s", want, g.log())
		}
	}
}

func TestTheLogRepeatsNothingThatIsNoEndpoint(t *testing.T) {
	g := startGateway(t, nil)
	for _, request := range []string{
		connectTo("jane.doe@evil.example:443"), "GET /?mail=jane.doe HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT " + mail + " HTTP/1.1\r\nX-Name: jane.doe\r\nContent-Length: 8\r\n\r\njane.doe",
	} {
		c, _ := g.ask(t, request)
		assertClosed(t, c)
	}
	c := g.establish(t, mail)
	c.send(string(helloFor(t, "jane.doe.evil.example")))
	assertClosed(t, c)
	g.assertDecided(t, egressconfig.ReasonServerNameMismatch)
	eventually(t, "all are logged", func() bool { return strings.Count(g.log(), `"msg"="connection"`) == 4 })
	if strings.Contains(g.log(), "jane") || strings.Contains(g.log(), "127.0.0.1") {
		t.Errorf("the log repeats what a client said, or from where:\n%s", g.log())
	}
}

func TestARecipientThatIsGoneLeavesNoSeries(t *testing.T) {
	g := startGateway(t, nil)
	assertEcho(t, g.reach(t, mailHost, mail), "hello")
	g.Apply(config(nil))
	for _, name := range []string{"active_connections", "last_used_timestamp_seconds"} {
		eventually(t, name+" is gone", func() bool {
			_, there := g.series(t, name, "mailer")
			return !there
		})
	}
}

func TestADrainLetsOpenConnectionsEnd(t *testing.T) {
	g := startGatewayWith(t, nil, func(o *egress.Options) { o.DrainTimeout = 2 * patience })
	conn := g.reach(t, mailHost, mail)
	g.stop()
	eventually(t, "readiness is off", func() bool { return g.Ready() != nil })
	assertEcho(t, conn, "unhurried")
	_ = conn.Close()
	select {
	case err := <-g.ended:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("Serve has not returned %s after the last connection ended", patience)
	}
}

func TestADrainCutsWhatDoesNotEnd(t *testing.T) {
	g := startGatewayWith(t, nil, func(o *egress.Options) { o.DrainTimeout = 100 * time.Millisecond })
	relayed, silent, waiting := g.reach(t, mailHost, mail), g.tcp(t), g.establish(t, mail)
	g.stop()
	assertClosed(t, relayed)
	assertClosed(t, silent)
	assertClosed(t, waiting)
	if err := <-g.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestAReaderThatStopsHoldsUpNobody lets a client take nothing while its recipient sends, and withdraws the recipient.
func TestAReaderThatStopsIsCutAllTheSame(t *testing.T) {
	g := startGateway(t, nil)
	ended := make(chan struct{})
	g.hear(t, func(conn *net.TCPConn) {
		defer close(ended)
		for {
			if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	time.Sleep(300 * time.Millisecond) // until every buffer is full
	start := time.Now()
	g.Apply(config(nil))
	<-ended
	// The server itself gives up after a minute.
	if took := time.Since(start); took > patience {
		t.Errorf("cut only after %s", took)
	}
}

func BenchmarkEcho(b *testing.B) {
	g := startGateway(b, nil)
	conn := g.reach(b, mailHost, mail)
	chunk := make([]byte, 200)
	_ = conn.NetConn().SetDeadline(time.Time{})
	for b.Loop() {
		if _, err := conn.Write(chunk); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, chunk); err != nil {
			b.Fatal(err)
		}
	}
}
