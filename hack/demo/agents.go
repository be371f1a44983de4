// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// login is a demo agent's. The product keeps a hash only, so the demo keeps the password, readable for its user
// alone.
type login struct{ Email, Password string }

func (d *demo) loginFile(tenant string) string { return filepath.Join(d.out, "login-"+tenant) }

func (d *demo) login(tenant string) (login, error) {
	var l login
	data, err := os.ReadFile(d.loginFile(tenant))
	if err != nil {
		return l, fmt.Errorf("read the agent's login: %w", err)
	}
	l.Email, l.Password, _ = strings.Cut(strings.TrimSpace(string(data)), "\n")
	return l, nil
}

// makeAgents invites an agent into each tenant, and sets the password at once. Inviting an existing account resets
// its password, so this works on a tenant of an earlier run as well.
func (d *demo) makeAgents(ctx context.Context) error {
	for _, tenant := range tenants {
		l, err := d.login(tenant)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil {
			l = login{Email: "agent@" + tenant + ".example", Password: rand.Text()}
		}
		stdin := strings.NewReader(l.Email + "\nAlex\n" + l.Password + "\n")
		if _, err := d.output(ctx, stdin, "kubectl", "-n", "chat-"+tenant, "exec", "-i", "deploy/chatserver", "--",
			"/chatserver", "invite", "--config", "/etc/chattenant/config.yaml", "--redeem"); err != nil {
			return err
		}
		if err := os.WriteFile(d.loginFile(tenant), []byte(l.Email+"\n"+l.Password+"\n"), 0o600); err != nil {
			return fmt.Errorf("keep the agent's login: %w", err)
		}
	}
	return nil
}
