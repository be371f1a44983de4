// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tinode_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/tinode"
)

// peer answers as Tinode's documentation of its API says, for accounts, peer-to-peer topics and publications.
type peer struct {
	mu       sync.Mutex
	accounts int
	attached map[[2]string]*websocket.Conn
}

type request struct {
	Hi, Acc, Sub, Pub *struct {
		ID, Ver, User, Scheme, Secret, Topic, Content string
		Login                                         bool
	}
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Tinode-APIKey") != "key" {
		http.Error(w, "no key", http.StatusForbidden)
		return
	}
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	user := ""
	for {
		var said request
		if conn.ReadJSON(&said) != nil {
			return
		}
		p.mu.Lock()
		user = p.answer(conn, user, &said)
		p.mu.Unlock()
	}
}

func (p *peer) answer(conn *websocket.Conn, user string, said *request) string {
	ctrl := func(id string, code int, params string) {
		text := fmt.Sprintf(`{"ctrl":{"id":%q,"params":{%s},"code":%d,"text":"x"}}`, id, params, code)
		_ = conn.WriteMessage(websocket.TextMessage, []byte(text))
	}
	switch {
	case said.Hi != nil && said.Hi.Ver != "":
		ctrl(said.Hi.ID, http.StatusCreated, "")
	case said.Acc != nil && said.Acc.User == "new" && said.Acc.Scheme == "basic" && said.Acc.Login:
		secret, _ := base64.StdEncoding.DecodeString(said.Acc.Secret)
		if name, password, _ := strings.Cut(string(secret), ":"); len(name) > 32 || len(password) < 8 {
			ctrl(said.Acc.ID, http.StatusBadRequest, "")
			return user
		}
		p.accounts++
		user = fmt.Sprintf("usr%d", p.accounts)
		ctrl(said.Acc.ID, http.StatusCreated, fmt.Sprintf(`"user":%q`, user))
	case said.Sub != nil && user != "":
		p.attached[[2]string{user, said.Sub.Topic}] = conn
		ctrl(said.Sub.ID, http.StatusOK, "")
	case said.Pub != nil && p.attached[[2]string{user, said.Pub.Topic}] == conn:
		ctrl(said.Pub.ID, http.StatusAccepted, `"seq":1`)
		data, _ := json.Marshal(map[string]any{"topic": user, "from": user, "seq": 1, "content": said.Pub.Content})
		if other := p.attached[[2]string{said.Pub.Topic, user}]; other != nil {
			_ = other.WriteMessage(websocket.TextMessage, []byte(`{"data":`+string(data)+`}`))
		}
	default:
		ctrl("", http.StatusBadRequest, "")
	}
	return user
}

// heard passes on what a listener is told.
type heard struct {
	acked, delivered chan int64
	lost             chan error
}

func (h *heard) Acked(n int64)             { h.acked <- n }
func (h *heard) Delivered(n int64)         { h.delivered <- n }
func (h *heard) Refused(n int64, c string) { h.lost <- fmt.Errorf("%d refused: %s", n, c) }
func (h *heard) Lost(err error)            { h.lost <- err }

func TestMessagesOfEachVisitorReachTheAgent(t *testing.T) {
	const rooms = 3
	server := httptest.NewServer(&peer{attached: map[[2]string]*websocket.Conn{}})
	defer server.Close()
	client, err := tinode.Target{URL: "ws" + strings.TrimPrefix(server.URL, "http"), APIKey: "key"}.At("", target.Site{})
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{acked: make(chan int64, rooms), delivered: make(chan int64, rooms), lost: make(chan error, rooms)}
	party, err := client.Join(t.Context(), rooms, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range party.Visitors {
		n := int64(1000 + i)
		if err := v.Send(n); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]chan int64{"acknowledged": h.acked, "delivered": h.delivered} {
			select {
			case got := <-c:
				if got != n {
					t.Errorf("%d was %s instead of %d", got, name, n)
				}
			case err := <-h.lost:
				t.Fatal(err)
			case <-time.After(30 * time.Second):
				t.Fatalf("%d was not %s", n, name)
			}
		}
	}
	if err := party.Close(); err != nil {
		t.Error(err)
	}
}
