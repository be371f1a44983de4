// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// exchange is a conversation that was had, to be looked for later.
type exchange struct {
	tenant       string
	conversation uuid.UUID
	bodies       []string
}

// converse has a visitor ask and an agent answer, and the visitor read the answer.
func converse(t *testing.T, name, topic string) exchange {
	t.Helper()
	tenant := getTenant(t, name)
	c := endpoint(t, tenant)
	visitor, agent := newVisitor(t, c), newAgent(t, c, tenant)
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	opened, err := visitor.Open(ctx, nil)
	if err != nil {
		t.Fatalf("open a conversation: %v", err)
	}
	said := exchange{tenant: name, conversation: opened.Conversation, bodies: []string{topic + "?", topic + "!"}}
	say(t, visitor, said.conversation, said.bodies[0])
	reads(t, agent, said.conversation, said.bodies[:1])
	say(t, agent, said.conversation, said.bodies[1])
	reads(t, visitor, said.conversation, said.bodies)
	return said
}

// stillThere reads the conversation as an agent who was not there.
func (e exchange) stillThere(t *testing.T) {
	tenant := getTenant(t, e.tenant)
	reads(t, newAgent(t, endpoint(t, tenant), tenant), e.conversation, e.bodies)
}

func say(t *testing.T, speaker *attendance, conversation uuid.UUID, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	if _, err := speaker.Send(ctx, conversation, body); err != nil {
		t.Fatalf("say %q: %v", body, err)
	}
}

func reads(t *testing.T, reader *attendance, conversation uuid.UUID, want []string) {
	t.Helper()
	for i, event := range reader.awaitEvents(t, conversation, len(want)) {
		if got := event.Body.Reveal(); event.Kind == protocol.KindMessage && got != want[i] {
			t.Errorf("message %d: want %q, got %q", i+1, want[i], got)
		}
	}
}

func TestAMessageGoesFromVisitorToAgentAndBackThroughEachTenantsOwnEndpoint(t *testing.T) {
	for _, tenant := range []string{acme, globex} {
		t.Run(tenant, func(t *testing.T) { converse(t, tenant, "May I ask "+tenant) })
	}
}

func TestAnEndpointIsItsTenantsOwnAndNoOthers(t *testing.T) {
	t.Run("each answers under its name", func(t *testing.T) {
		for _, name := range []string{acme, globex} {
			tenant := getTenant(t, name)
			info, err := endpoint(t, tenant).Info(t.Context())
			if err != nil || info.DisplayName != tenant.Spec.DisplayName || info.Region.Name != tenant.Spec.Region {
				t.Errorf("%s answers %v, %v", tenant.Spec.Endpoint.Host, info, err)
			}
		}
	})
	t.Run("no other name verifies", func(t *testing.T) {
		pool := demoAuthority(t)
		// The gateway routes by the name in the handshake; the client expects another one.
		config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: hostOf(t, acme)}
		err := handshake(t, config, hostOf(t, globex))
		var mismatch x509.HostnameError
		if !errors.As(err, &mismatch) {
			t.Errorf("the certificate of %s was taken for %s's: %v", acme, globex, err)
		}
	})
	t.Run("no other authority verifies", func(t *testing.T) {
		internal := authority(t, secret(t, naming.Namespace(acme), "postgres-client"))
		config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: internal, ServerName: hostOf(t, acme)}
		err := handshake(t, config, hostOf(t, acme))
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) {
			t.Errorf("the endpoint's certificate verified under the tenant's internal authority: %v", err)
		}
	})
	t.Run("an unknown name is not served", func(t *testing.T) {
		unknown := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: demoAuthority(t), ServerName: "nobody.localhost"}
		if err := handshake(t, unknown, "nobody.localhost"); err == nil {
			t.Error("somebody answers for nobody.localhost")
		}
	})
}

// handshake shakes hands with the gateway under the configuration's server name and expects the certificate of another.
func handshake(t *testing.T, config *tls.Config, expected string) error {
	t.Helper()
	conn, err := toGateway(t.Context(), "tcp", "")
	if err != nil {
		t.Fatalf("reach the gateway: %v", err)
	}
	defer func() { _ = conn.Close() }()
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(t.Context()); err != nil {
		return err
	}
	return client.ConnectionState().PeerCertificates[0].VerifyHostname(expected)
}

func hostOf(t *testing.T, tenant string) string {
	t.Helper()
	return getTenant(t, tenant).Spec.Endpoint.Host
}
