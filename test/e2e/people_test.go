// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	chat "github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// newVisitor is an anonymous visitor who is connected until the test ends.
func newVisitor(t *testing.T, c *chat.Client) *attendance {
	t.Helper()
	var who chat.Credentials
	eventually(t, patience, "a visitor is let in", func(ctx context.Context) (err error) {
		who, err = c.NewVisitor(ctx)
		return err
	})
	return attend(t, c, who)
}

// newAgent is an agent of the tenant with a new account, who is connected until the test ends. Whoever comes while a
// pod is being replaced may have to knock twice.
func newAgent(t *testing.T, c *chat.Client, tenant *v1alpha1.ChatTenant) *attendance {
	t.Helper()
	email, password := strings.ToLower(rand.Text())+"@e2e.example", rand.Text()
	awaitSettled(t, tenant.Name, naming.ChatServer)
	invite(t, tenant.Name, email, password)
	var who chat.Credentials
	eventually(t, patience, "an agent signs in to "+tenant.Name, func(ctx context.Context) (err error) {
		who, err = c.SignIn(ctx, redacted.New(email), redacted.New(password))
		return err
	})
	return attend(t, c, who)
}

// invite makes an agent's account, as whoever runs the cluster does it. Who it is and the password go in on standard
// input, where no list of processes shows them.
func invite(t *testing.T, tenant, email, password string) {
	t.Helper()
	inviteWith(t, tenant, email+"\nAgent of e2e\n"+password+"\n", "--redeem")
}

// invitation is what an agent gets who is to choose the password.
func invitation(t *testing.T, tenant, email string) string {
	t.Helper()
	return strings.TrimSpace(inviteWith(t, tenant, email+"\nAgent of e2e\n", "--token"))
}

func inviteWith(t *testing.T, tenant, input, flag string) string {
	t.Helper()
	return kubectl(t, input, "-n", naming.Namespace(tenant), "exec", "-i", "deploy/"+naming.ChatServer, "--",
		"/chatserver", "invite", flag)
}
