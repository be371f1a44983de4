// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// openConversation opens one of a visitor who has said hello.
func openConversation(w peer) string {
	w.test().Helper()
	w.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	return nextOf[*protocol.Opened](w).Conversation.String()
}

func TestAStreamBeginsAtOnceAndIsNotKeptOrChangedOnItsWay(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	w, _ := openStream(t, r, r.Dial, nil).(*streamWire)
	greet(w, newVisitor(t, r))
	want := map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
		"X-Content-Type-Options": "nosniff",
	}
	for name, value := range want {
		if got := w.begun.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if w.begun.ContentLength != -1 {
		t.Errorf("the stream says it is %d long", w.begun.ContentLength)
	}
}

// TestTheFirstThingAStreamSaysIsLong reads the bytes: scanners hold back short beginnings.
func TestTheFirstThingAStreamSaysIsLong(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	w, _ := openStream(t, r, r.Dial, nil).(*streamWire)
	hello := `{"type":"hello","protocol":1,"token":"` + newVisitor(t, r) + `"}`
	response := w.do(t.Context(), "/api/v1/stream", hello)
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	comment, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(comment, ":") || len(comment) < 2048 {
		t.Errorf("the stream begins with %d bytes, %v", len(comment), err)
	}
	blank, _ := lines.ReadString('\n')
	first, err := lines.ReadString('\n')
	if err != nil || blank != "\n" || !strings.HasPrefix(first, `data: {"type":"welcome"`) {
		t.Errorf("then come %q and %q, %v", blank, first, err)
	}
}

func TestAClientResumesWhereItWasOrIsToldToForget(t *testing.T) {
	overEach(t, func(t *testing.T, over carrier) {
		t.Helper()
		db := storetest.New(t)
		r := servertest.Start(t, db)
		token := newVisitor(t, r)
		first := over.to(t, r)
		greet(first, token)
		c := openConversation(first)
		var epoch int64
		for _, body := range []string{"one", "two", "three"} {
			first.say(sendFrame(t, c, uuid.NewString(), body))
			epoch = nextOf[*protocol.Ack](first).Epoch
		}
		resume := func(epoch, seq int64) peer {
			w := over.to(t, r)
			w.say(`{"type":"hello","protocol":1,"token":"` + token + `"` + cursors(c, epoch, seq) + `}`)
			nextOf[*protocol.Conversation](w)
			return w
		}
		if event, ok := next(resume(epoch, 2)).(*protocol.Event); !ok || event.Seq != 3 {
			t.Errorf("after 2 comes %+v", event)
		}
		if end, ok := next(resume(epoch, 3)).(*protocol.CaughtUp); !ok || end.Seq != 3 {
			t.Errorf("after 3 comes %+v", end)
		}
		for name, w := range map[string]peer{"ahead": resume(epoch, 4), "another history": resume(epoch-1, 2)} {
			if _, ok := next(w).(*protocol.Reset); !ok {
				t.Errorf("%s: no reset", name)
			}
			if event, ok := next(w).(*protocol.Event); !ok || event.Seq != 1 {
				t.Errorf("%s: the events do not begin anew", name)
			}
		}
	})
}

func TestAnAckIsSentOnlyOnceTheMessageIsOnDisk(t *testing.T) {
	overEach(t, func(t *testing.T, over carrier) {
		t.Helper()
		db := storetest.New(t)
		r := servertest.Start(t, db)
		w := over.to(t, r)
		greet(w, newVisitor(t, r))
		c := openConversation(w)
		admin := db.Admin(t)
		release := holdConversation(t, db, c)
		said, acked := make(chan struct{}), make(chan struct{})
		go func() { defer close(said); w.say(sendFrame(t, c, uuid.NewString(), "one")) }()
		go func() { defer close(acked); <-said; nextOf[*protocol.Ack](w) }()
		awaitLockWaiter(t, db)
		select {
		case <-acked:
			t.Error("the message was acknowledged while it could not be committed")
		case <-time.After(300 * time.Millisecond):
		}
		release()
		<-acked
		var rows int
		if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d messages, %v", rows, err)
		}
	})
}

func TestADrainingReplicaAsksEveryoneToComeBackAndThenEnds(t *testing.T) {
	overEach(t, func(t *testing.T, over carrier) {
		t.Helper()
		r := servertest.Start(t, storetest.New(t))
		w := over.to(t, r)
		greet(w, newVisitor(t, r))
		stopped := make(chan error, 1)
		go func() { stopped <- r.Stop() }()
		if drain := nextOf[*protocol.Drain](w); drain.ReconnectAfterMs < 0 || drain.ReconnectAfterMs > 5000 {
			t.Errorf("come back after %d ms", drain.ReconnectAfterMs)
		}
		if code, closed := w.expectEnd(); code != "" || (closed != 0 && closed != goingAway) {
			t.Errorf("ended with %q, %d", code, closed)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestWhoComesToADrainingReplicaIsServedAndSentOn is about Services that still name a replica which is going away.
func TestWhoComesToADrainingReplicaIsServedAndSentOn(t *testing.T) {
	overEach(t, func(t *testing.T, over carrier) {
		t.Helper()
		r := servertest.Start(t, storetest.New(t))
		r.Config.DrainSeconds = 20
		early := over.to(t, r)
		greet(early, newVisitor(t, r))
		token := newVisitor(t, r)
		// Whenever that one leaves, the replica stays.
		release := r.InHand(t)
		stopped := make(chan error, 1)
		go func() { stopped <- r.Stop() }()
		nextOf[*protocol.Drain](early)

		w := over.to(t, r)
		greet(w, token)
		if drain := nextOf[*protocol.Drain](w); drain.ReconnectAfterMs < 500 || drain.ReconnectAfterMs > 1000 {
			t.Errorf("come back after %d ms", drain.ReconnectAfterMs)
		}
		w.expectEnd()
		release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestFramesInHandAreAnsweredBeforeAReplicaEnds stops a replica while a commit waits for a lock.
func TestFramesInHandAreAnsweredBeforeAReplicaEnds(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	r.Config.DrainSeconds = 10
	w, _ := openStream(t, r, r.Dial, nil).(*streamWire)
	greet(w, newVisitor(t, r))
	c := openConversation(w)
	release := holdConversation(t, db, c)
	said := time.Now()
	answered := make(chan struct{})
	go func() { defer close(answered); w.say(sendFrame(t, c, uuid.NewString(), "one")) }()
	awaitLockWaiter(t, db)
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop() }()
	nextOf[*protocol.Drain](w)
	// Nothing but the message keeps the replica from now on.
	w.hangUp()
	select {
	case <-answered:
		// The machine was so slow that the commit was given up meanwhile.
	case err := <-stopped:
		t.Errorf("stopped with a message in hand: %v", err)
		stopped <- nil
	case <-time.After(longerThanRequests):
	}
	release()
	held := time.Since(said)
	<-answered
	select {
	case answer := <-w.answers:
		givenUp := held > mostOfACommit && isRefusal(answer.frame, protocol.Unavailable)
		if answer.err != nil || answer.frame.FrameType() != protocol.TypeAck && !givenUp {
			t.Errorf("after %v answered with %+v", held, answer)
		}
	default:
		t.Error("the message was not answered")
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

const (
	// longerThanRequests is more than the HTTP server waits for its requests by itself.
	longerThanRequests = 2500 * time.Millisecond
	// mostOfACommit is less than a commit may take before it is given up.
	mostOfACommit = 4 * time.Second
)

// holdConversation keeps a conversation from being written to until it is released.
func holdConversation(t *testing.T, db *storetest.Database, conversation string) (release func()) {
	t.Helper()
	tx, err := db.Admin(t).Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), `SELECT FROM conversation WHERE id = $1 FOR UPDATE`, conversation)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitLockWaiter returns when somebody waits for a lock of the database.
func awaitLockWaiter(t *testing.T, db *storetest.Database) {
	t.Helper()
	admin := db.Admin(t)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var waits bool
		err := admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
		if waits {
			return
		}
	}
	t.Fatal("nobody waits for the lock")
}

func TestAStreamOutlivesTheTimeOutsOfRequestsAndIsToldToBeginAnewInTheEnd(t *testing.T) {
	timing := servertest.Patient()
	timing.Request, timing.Heartbeat, timing.Stream = 2*time.Second, 200*time.Millisecond, 3*time.Second
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	w := openStream(t, r, r.Dial, nil)
	start := time.Now()
	greet(w, newVisitor(t, r))
	if drain := nextOf[*protocol.Drain](w); drain.ReconnectAfterMs != 0 {
		t.Errorf("come back after %d ms", drain.ReconnectAfterMs)
	}
	if took := time.Since(start); took < timing.Stream {
		t.Errorf("the stream lasted %v", took)
	}
	if code, _ := w.expectEnd(); code != "" {
		t.Errorf("ended with %q", code)
	}
}

func TestAClientThatIsGoneIsForgotten(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	w, _ := openStream(t, r, r.Dial, nil).(*streamWire)
	greet(w, newVisitor(t, r))
	waitForMetric(t, r, `chattenant_streams{kind="visitor"} 1`)
	w.hangUp()
	waitForMetric(t, r, `chattenant_streams{kind="visitor"} 0`)
}

func waitForMetric(t *testing.T, r *servertest.Replica, line string) {
	t.Helper()
	var metrics string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, metrics = r.Probe(t, "/metrics"); strings.Contains(metrics, line+"\n") {
			return
		}
	}
	t.Fatalf("the metrics never say %s", line)
}

func TestSocketsAndStreamsOfOnePersonAreCountedTogether(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	token := newVisitor(t, r)
	for range 8 {
		greet(connect(t, r), token)
		greet(openStream(t, r, r.Dial, nil), token)
	}
	overEach(t, func(t *testing.T, over carrier) {
		t.Helper()
		w := over.to(t, r)
		w.say(`{"type":"hello","protocol":1,"token":"` + token + `"}`)
		if code, _ := w.expectEnd(); code != protocol.RateLimited {
			t.Errorf("the seventeenth is answered %q", code)
		}
	})
	other := connect(t, r)
	greet(other, newVisitor(t, r))
}

func TestStreamsAreBoundedPerAddressLikeHandshakes(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(scarce(3)))
	token := newVisitor(t, r)
	hello := `{"type":"hello","protocol":1,"token":"` + token + `"}`
	for range 2 {
		greet(openStream(t, r, r.Dial, nil), token)
	}
	connect(t, r)
	response, code := call(t, r, http.MethodPost, "/api/v1/stream", hello, nil)
	if code != protocol.RateLimited || response.Header.Get("Retry-After") == "" {
		t.Errorf("the fourth handshake is answered %s", response.Status)
	}
}

func TestAClientThatSendsItsHelloTooSlowlyIsCutOff(t *testing.T) {
	timing := servertest.Patient()
	timing.Request = time.Second
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	half, send := io.Pipe()
	defer func() { _ = send.Close() }()
	transport := &http.Transport{TLSClientConfig: r.TLS(), DialContext: r.Dial}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, servertest.Endpoint+"/api/v1/stream", half)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Origin": {servertest.Endpoint}, "Content-Type": {"application/json"}}
	go func() { _, _ = io.WriteString(send, `{"type":"hello",`) }()
	response, err := transport.RoundTrip(request)
	if err != nil {
		var timeout net.Error
		if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
			t.Errorf("never answered: %v", err)
		}
		return
	}
	defer func() { _ = response.Body.Close() }()
	var body protocol.ErrorBody
	_ = json.NewDecoder(response.Body).Decode(&body)
	if body.Error.Code != protocol.InvalidRequest {
		t.Errorf("half a hello is answered %s %q", response.Status, body.Error.Code)
	}
}
