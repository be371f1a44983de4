// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
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
	who, err := c.NewVisitor(t.Context())
	if err != nil {
		t.Fatalf("make a visitor: %v", err)
	}
	return attend(t, c, who)
}

// newAgent is an agent of the tenant with a new account, who is connected until the test ends.
func newAgent(t *testing.T, c *chat.Client, tenant *v1alpha1.ChatTenant) *attendance {
	t.Helper()
	email, password := strings.ToLower(rand.Text())+"@e2e.example", rand.Text()
	invite(t, tenant.Name, email, password)
	who, err := c.SignIn(t.Context(), redacted.New(email), redacted.New(password))
	if err != nil {
		t.Fatalf("sign in to %s: %v", tenant.Name, err)
	}
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
