// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// post sends frames without a stream and returns what answers them.
func post(
	t *testing.T, r *servertest.Replica, header http.Header, frames ...string,
) ([]protocol.Frame, protocol.Code) {
	t.Helper()
	body := `{"frames":[` + strings.Join(frames, ",") + `]}`
	response, code := call(t, r, http.MethodPost, "/api/v1/frames", body, header)
	if code != "" {
		return nil, code
	}
	encoded, err := protocol.DecodeBatch(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", response.Status, err)
	}
	var answers []protocol.Frame
	for _, data := range encoded {
		frame, err := protocol.DecodeServer(data)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, frame)
	}
	return answers, ""
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// postedConversation opens a conversation without a stream.
func postedConversation(t *testing.T, r *servertest.Replica, token string) string {
	t.Helper()
	answers, code := post(t, r, bearer(token), `{"type":"open","clientId":"`+uuid.NewString()+`"}`)
	if len(answers) == 1 {
		if opened, ok := answers[0].(*protocol.Opened); ok {
			return opened.Conversation.String()
		}
	}
	t.Fatalf("open answered %v %q", answers, code)
	return ""
}

func TestFramesAreAnsweredInTheirOrderByAnyReplica(t *testing.T) {
	db := storetest.New(t)
	here, there := servertest.Start(t, db), servertest.Start(t, db)
	token := newVisitor(t, here)
	stream := openStream(t, here, here.Dial, nil)
	greet(stream, token)
	c := postedConversation(t, there, token)
	one, two := uuid.NewString(), uuid.NewString()
	answers, code := post(t, there, bearer(token),
		sendFrame(t, c, one, "one"), `{"type":"typing","conversation":"`+c+`","typing":false}`,
		sendFrame(t, c, uuid.NewString(), " "), sendFrame(t, c, two, "two"), sendFrame(t, c, one, "one"))
	if code != "" || len(answers) != 4 {
		t.Fatalf("answered %v %q", answers, code)
	}
	if !isAck(answers[0], one, 1) || !isAck(answers[2], two, 2) || !isAck(answers[3], one, 1) {
		t.Errorf("the acks are %+v, %+v and %+v", answers[0], answers[2], answers[3])
	}
	if e, ok := answers[1].(*protocol.Error); !ok || e.Code != protocol.InvalidRequest || e.ClientID == nil {
		t.Errorf("an empty message is answered %+v", answers[1])
	}
	// A ping is answered by what there is, wherever the stream is.
	beats, _ := post(t, there, bearer(token), `{"type":"ping"}`)
	if len(beats) != 1 {
		t.Fatalf("the ping is answered %v", beats)
	}
	beat, ok := beats[0].(*protocol.Heartbeat)
	if !ok || len(beat.Heads) != 1 || beat.Heads[uuid.MustParse(c)] != 2 {
		t.Errorf("the ping is answered %+v", beats[0])
	}
	for seq, body := range []string{"one", "two"} {
		event := nextOf[*protocol.Event](stream)
		if event.Seq != int64(seq)+1 || event.Body.Reveal() != body {
			t.Errorf("the stream on the other replica has event %d", event.Seq)
		}
	}
}

func isAck(f protocol.Frame, clientID string, seq int64) bool {
	ack, ok := f.(*protocol.Ack)
	return ok && ack.ClientID.String() == clientID && ack.Seq == seq
}

// TestABatchThatBreaksTheGrammarIsRefusedAsAWhole puts something good before each thing bad.
func TestABatchThatBreaksTheGrammarIsRefusedAsAWhole(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	token := newVisitor(t, r)
	c := postedConversation(t, r, token)
	good := func() string { return sendFrame(t, c, uuid.NewString(), "good") }
	long := `{"type":"open","clientId":"` + uuid.NewString() + `","contact":{"name":"` +
		strings.Repeat("x", protocol.MaxFrame) + `"}}`
	many := make([]string, 0, protocol.MaxBatch+1)
	for range protocol.MaxBatch + 1 {
		many = append(many, good())
	}
	bodies := map[string]struct {
		body string
		want protocol.Code
	}{
		"hello":         {`{"frames":[` + good() + `,{"type":"hello","protocol":1}]}`, protocol.InvalidRequest},
		"unknown":       {`{"frames":[` + good() + `,{"type":"welcome"}]}`, protocol.InvalidRequest},
		"null":          {`{"frames":[` + good() + `,null]}`, protocol.InvalidRequest},
		"repeated key":  {`{"frames":[` + good() + `,{"type":"ping","type":"ping"}]}`, protocol.InvalidRequest},
		"a string":      {`{"frames":[` + good() + `,"ping"]}`, protocol.InvalidRequest},
		"none":          {`{"frames":[]}`, protocol.InvalidRequest},
		"nothing":       {`{}`, protocol.InvalidRequest},
		"two lists":     {`{"frames":[` + good() + `],"frames":[]}`, protocol.InvalidRequest},
		"another field": {`{"frames":[` + good() + `],"stream":"x"}`, protocol.InvalidRequest},
		"a bare frame":  {good(), protocol.InvalidRequest},
		"too many":      {`{"frames":[` + strings.Join(many, ",") + `]}`, protocol.InvalidRequest},
		"one too long":  {`{"frames":[` + good() + `,` + long + `]}`, protocol.TooLarge},
		"all too long":  {`{"frames":[` + good() + strings.Repeat(" ", protocol.MaxBatchBody) + `]}`, protocol.TooLarge},
	}
	for name, test := range bodies {
		response, code := call(t, r, http.MethodPost, "/api/v1/frames", test.body, bearer(token))
		if code != test.want {
			t.Errorf("%s: answered %s %q", name, response.Status, code)
		}
	}
	var rows int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d messages of refused batches are there, %v", rows, err)
	}
	if answers, code := post(t, r, bearer(token), many[:protocol.MaxBatch]...); len(answers) != protocol.MaxBatch {
		t.Errorf("a full batch has %d answers, %q", len(answers), code)
	}
}

func TestAPostNeedsAProofOfItsOwn(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	token, cookie := newVisitor(t, r), signIn(t, r)
	ping := `{"frames":[{"type":"ping"}]}`
	headers := map[string]struct {
		header http.Header
		want   protocol.Code
	}{
		"token":             {bearer(token), ""},
		"lower case scheme": {http.Header{"Authorization": {"bearer " + token}}, ""},
		"cookie":            {withCookie(cookie), ""},
		"nothing":           {nil, protocol.Unauthenticated},
		"empty token":       {bearer(""), protocol.Unauthenticated},
		"another token":     {bearer(strings.Repeat("A", len(token))), protocol.Unauthenticated},
		"the cookie's":      {bearer(cookie.Value), protocol.Unauthenticated},
		"another scheme":    {http.Header{"Authorization": {"Basic " + token}}, protocol.Unauthenticated},
		"two tokens":        {http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}, protocol.Unauthenticated},
		"a wrong token beside a cookie": {
			http.Header{"Authorization": {"Bearer x"}, "Cookie": withCookie(cookie)["Cookie"]}, protocol.Unauthenticated,
		},
		"the token as cookie": {http.Header{"Cookie": {cookie.Name + "=" + token}}, protocol.Unauthenticated},
		"a foreign origin": {
			http.Header{"Authorization": {"Bearer " + token}, "Origin": {"https://evil.example"}}, protocol.Forbidden,
		},
	}
	for name, test := range headers {
		response, code := call(t, r, http.MethodPost, "/api/v1/frames", ping, test.header)
		if code != test.want {
			t.Errorf("%s: answered %s %q", name, response.Status, code)
		}
	}
	if response, _ := call(t, r, http.MethodDelete, "/api/v1/agent/session", "", withCookie(cookie)); response.
		StatusCode != http.StatusNoContent {
		t.Fatal(response.Status)
	}
	if _, code := post(t, r, withCookie(cookie), `{"type":"ping"}`); code != protocol.Unauthenticated {
		t.Errorf("after signing out a post answers %q", code)
	}
}

func TestPostedTypingAndReceiptsReachThoseWhoReadAndChangeNothingElse(t *testing.T) {
	db := storetest.New(t)
	here, there := servertest.Start(t, db), servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	token, stranger := newVisitor(t, here), newVisitor(t, here)
	c := postedConversation(t, here, token)
	post(t, here, bearer(token), sendFrame(t, c, uuid.NewString(), "one"), sendFrame(t, c, uuid.NewString(), "two"))
	agent := openStream(t, there, there.Dial, withCookie(signIn(t, there)))
	agent.say(`{"type":"hello","protocol":1}`)
	for nextOf[*protocol.CaughtUp](agent).Seq < 2 {
		continue
	}
	typing := `{"type":"typing","conversation":"` + c + `","typing":true}`
	receipt := func(delivered, read string) string {
		return `{"type":"receipt","conversation":"` + c + `","delivered":` + delivered + `,"read":` + read + `}`
	}
	// Neither is a stranger's to tell.
	if answers, code := post(t, here, bearer(stranger), typing, receipt("2", "2")); len(answers) > 0 || code != "" {
		t.Errorf("a stranger's signals are answered %v %q", answers, code)
	}
	if answers, _ := post(t, here, bearer(token), typing); len(answers) > 0 {
		t.Errorf("typing is answered %v", answers)
	}
	author := nextOf[*protocol.TypingNotice](agent).Author
	if author.Kind != protocol.Visitor {
		t.Errorf("%s types", author.Kind)
	}
	// Later, lower, then beyond the end: only what is new counts, and no more than there is.
	for _, frame := range []string{receipt("1", "1"), receipt("0", "-3"), receipt("99", "1")} {
		post(t, here, bearer(token), frame)
	}
	for {
		got := nextOf[*protocol.ReceiptNotice](agent)
		if got.Reader != author || got.Delivered > 2 || got.Read != 1 {
			t.Fatalf("receipt %+v", got)
		}
		if got.Delivered == 2 {
			break
		}
	}
	nowhere := `{"type":"typing","conversation":"` + uuid.NewString() + `","typing":true}`
	if _, code := post(t, here, bearer(token), nowhere); code != "" {
		t.Errorf("typing where there is nothing answers %q", code)
	}
}

func TestPostedFramesAreCountedPerPerson(t *testing.T) {
	limits := servertest.Generous()
	limits.Frames = edge.Rate{PerSecond: 0.001, Burst: 20}
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(limits))
	token := newVisitor(t, r)
	ping := `{"type":"ping"}`
	batch := strings.Split(strings.Repeat(ping+" ", 12), " ")[:12]
	if answers, code := post(t, r, bearer(token), batch...); len(answers) != 12 {
		t.Fatalf("the first are answered %q", code)
	}
	// Twelve more are too many, and do not use up what eight may.
	body := `{"frames":[` + strings.Join(batch, ",") + `]}`
	response, code := call(t, r, http.MethodPost, "/api/v1/frames", body, bearer(token))
	if code != protocol.RateLimited || response.Header.Get("Retry-After") == "" {
		t.Errorf("too many are answered %s", response.Status)
	}
	if answers, code := post(t, r, bearer(token), batch[:8]...); len(answers) != 8 {
		t.Errorf("the rest is answered %q", code)
	}
	if answers, code := post(t, r, bearer(newVisitor(t, r)), ping); len(answers) != 1 {
		t.Errorf("somebody else is answered %q", code)
	}
}

func TestMessagesAreCountedTogetherHoweverTheyCome(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(scarce(4)))
	token := newVisitor(t, r)
	c := postedConversation(t, r, token)
	w := connect(t, r)
	greet(w, token)
	w.say(sendFrame(t, c, uuid.NewString(), "on a socket"))
	nextOf[*protocol.Ack](w)
	id := uuid.NewString()
	answers, _ := post(t, r, bearer(token), sendFrame(t, c, id, "a"), sendFrame(t, c, id, "a"), sendFrame(t, c, id, "a"))
	if len(answers) != 3 {
		t.Fatalf("answered %v", answers)
	}
	last, ok := answers[2].(*protocol.Error)
	if !ok || last.Code != protocol.RateLimited || last.RetryAfterMs <= 0 || last.ClientID.String() != id {
		t.Errorf("the fifth is answered %+v", answers[2])
	}
}
