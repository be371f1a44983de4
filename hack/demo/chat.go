// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// chat shows the product at work.
var chat = []step{
	{"Give each tenant an agent", (*demo).makeAgents},
	{"Let a visitor and an agent chat in each tenant", (*demo).converse},
}

// talk is what was said in one tenant, one line an utterance.
type talk struct {
	tenant string
	lines  []string
}

// patience bounds one conversation: the endpoint is Ready, so every step of it takes well under a second unless the
// machine is busy.
const patience = 2 * time.Minute

func (d *demo) converse(ctx context.Context) error {
	roots, err := d.roots(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		login, err := d.login(tenant)
		if err != nil {
			return err
		}
		lines, err := converse(ctx, endpoint(tenant), roots, login)
		if err != nil {
			return fmt.Errorf("chat in %s: %w", tenant, err)
		}
		d.talks = append(d.talks, talk{tenant, lines})
	}
	return nil
}

func endpoint(tenant string) string {
	return fmt.Sprintf("https://%s.localhost:%d", tenant, publicPort)
}

// roots trusts the demo's own authority, and nothing else. It is also left in a file, for browsers.
func (d *demo) roots(ctx context.Context) (*x509.CertPool, error) {
	data, err := d.output(ctx, nil, "kubectl", "-n", "cert-manager", "get", "secret", "chattenant-demo-ca",
		"-o", `go-template={{index .data "ca.crt" | base64decode}}`)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(data)) {
		return nil, errors.New("the demo's authority has no certificate")
	}
	if err := os.WriteFile(d.caFile(), []byte(data), 0o600); err != nil {
		return nil, fmt.Errorf("keep the authority's certificate: %w", err)
	}
	return pool, nil
}

func (d *demo) caFile() string { return filepath.Join(d.out, "ca.crt") }

// converse sends one message each way and answers what each side saw of the other.
func converse(ctx context.Context, endpoint string, roots *x509.CertPool, login login) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := client.New(client.Config{
		Endpoint: endpoint, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, Dial: dialLoopback,
	})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	visitor, err := c.NewVisitor(ctx)
	if err != nil {
		return nil, fmt.Errorf("become a visitor: %w", err)
	}
	agent, err := c.SignIn(ctx, redacted.New(login.Email), redacted.New(login.Password))
	if err != nil {
		return nil, fmt.Errorf("sign the agent in: %w", err)
	}
	return exchange(ctx, newParty(ctx, c, visitor), newParty(ctx, c, agent))
}

// dialLoopback does what browsers do with names under localhost, which DNS does not know.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

func exchange(ctx context.Context, visitor, agent *party) ([]string, error) {
	opened, err := visitor.session.Open(ctx, &protocol.Contact{Name: protocol.NewText("Vera")})
	if err != nil {
		return nil, fmt.Errorf("open a conversation: %w", err)
	}
	question, err := say(ctx, visitor, agent, opened.Conversation, "Hello, do you ship to Malta?")
	if err != nil {
		return nil, fmt.Errorf("visitor to agent: %w", err)
	}
	answer, err := say(ctx, agent, visitor, opened.Conversation, "We do, it takes four days.")
	if err != nil {
		return nil, fmt.Errorf("agent to visitor: %w", err)
	}
	return []string{question, answer}, nil
}

// say sends a message from one party and waits until it is on disk and the other has it.
func say(ctx context.Context, from, to *party, conversation uuid.UUID, body string) (string, error) {
	ack, err := from.session.Send(ctx, conversation, body)
	if err != nil {
		return "", err
	}
	for {
		select {
		case event := <-to.events:
			if event.Conversation == conversation && event.Seq == ack.Seq {
				return fmt.Sprintf("%-7s #%d  %s", event.Author.Kind, event.Seq, event.Body.Reveal()), nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("message %d was acknowledged and did not arrive: %w", ack.Seq, ctx.Err())
		}
	}
}

// party is one side of a conversation.
type party struct {
	session *client.Session
	events  chan *protocol.Event
}

func newParty(ctx context.Context, c *client.Client, who client.Credentials) *party {
	p := &party{events: make(chan *protocol.Event, 64)}
	p.session = c.NewSession(who, client.Observer{Event: func(e *protocol.Event) {
		select {
		case p.events <- e:
		case <-ctx.Done():
		}
	}})
	// It ends with the context; a refusal shows as the time-out of what was asked.
	go func() { _ = p.session.Run(ctx) }()
	return p
}
