// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package centrifuge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// conn speaks the JSON protocol of centrifuge, which is Centrifugo's too.
type conn struct {
	*wire.Socket
	heard target.Listener
	last  int
}

// reply is what the adapter needs of an answer.
type reply struct {
	ID    int64 `json:"id"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Push json.RawMessage `json:"push"`
}

// connect opens a socket and says hello; token may be empty.
func connect(ctx context.Context, door wire.Door, token string, heard target.Listener) (*conn, error) {
	socket, err := wire.Dial(ctx, door)
	if err != nil {
		return nil, err
	}
	c := &conn{Socket: socket, heard: heard}
	command := map[string]string{}
	if token != "" {
		command["token"] = token
	}
	if err := c.ask("connect", command); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return c, nil
}

// subscribe subscribes to a channel and waits for the answer. It is for the time before listen.
func (c *conn) subscribe(channel string) error {
	return c.ask("subscribe", map[string]string{"channel": channel})
}

// ask sends a command and waits for its answer.
func (c *conn) ask(kind string, command map[string]string) error {
	c.last++
	data, err := json.Marshal(map[string]any{"id": c.last, kind: command})
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	if err := c.Write(data); err != nil {
		return err
	}
	_, err = c.Await(c.isAnswer)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// isAnswer looks for the answer to the last command. A frame holds several messages, one a line.
func (c *conn) isAnswer(frame []byte) (found bool, err error) {
	for line := range bytes.Lines(frame) {
		if c.pong(line) {
			continue
		}
		var r reply
		if err := json.Unmarshal(line, &r); err != nil {
			return false, fmt.Errorf("decode answer: %w", err)
		}
		if r.Error != nil {
			return false, fmt.Errorf("error %d: %s", r.Error.Code, r.Error.Message)
		}
		found = found || r.ID == int64(c.last)
	}
	return found, nil
}

// pong answers the server's ping, which is an empty object.
func (c *conn) pong(line []byte) bool {
	if string(bytes.TrimSpace(line)) != "{}" {
		return false
	}
	_ = c.Write([]byte("{}")) // A connection that is gone is noticed by its reader.
	return true
}

// listen tells the listener what hear makes of each message.
func (c *conn) listen(hear func(heard target.Listener, line []byte)) {
	c.Listen(func(frame []byte) {
		for line := range bytes.Lines(frame) {
			if !c.pong(line) {
				hear(c.heard, line)
			}
		}
	}, c.heard.Lost)
}

// deliveries hears publications.
func deliveries(heard target.Listener, line []byte) {
	if !bytes.HasPrefix(line, []byte(`{"push":`)) {
		return
	}
	if id := wire.Field(line, "clientId"); id != "" {
		n, err := target.Number(id)
		if err != nil {
			heard.Lost(err)
			return
		}
		heard.Delivered(n)
	}
}

// answers hears the answers to publications, whose ids are the messages' numbers.
func answers(heard target.Listener, line []byte) {
	if bytes.HasPrefix(line, []byte(`{"push":`)) {
		return
	}
	var r reply
	switch err := json.Unmarshal(line, &r); {
	case err != nil:
		heard.Lost(fmt.Errorf("decode answer: %w", err))
	case r.Error != nil:
		heard.Refused(r.ID, strconv.Itoa(r.Error.Code))
	default:
		heard.Acked(r.ID)
	}
}

// visitor publishes into one room.
type visitor struct {
	*conn
	channel string
}

// newVisitor connects a visitor to their room.
func newVisitor(
	ctx context.Context, door wire.Door, token string, room int, heard target.Listener,
) (*visitor, error) {
	c, err := connect(ctx, door, token, heard)
	if err != nil {
		return nil, err
	}
	v := &visitor{conn: c, channel: channel(room)}
	if err := c.subscribe(v.channel); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.listen(answers)
	return v, nil
}

func channel(room int) string { return "room" + strconv.Itoa(room) }

// Send implements target.Visitor.
func (v *visitor) Send(n int64) error {
	return v.Write([]byte(`{"id":` + strconv.FormatInt(n, 10) + `,"publish":{"channel":"` + v.channel +
		`","data":{"clientId":"` + target.ID(n) + `","body":"` + target.Body(n) + `"}}}`))
}
