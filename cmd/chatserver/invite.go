// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/store"
)

// invitation is what invite was asked for. Whom it is for comes from standard input: an address and a name are personal
// data, and a command line can be read by every process of the machine.
type invitation struct {
	email, displayName, password redacted.String
	// port is the public one, if it is not 443.
	port      string
	tokenOnly bool
	redeem    bool
}

func newInvite(load loader) *cobra.Command {
	var i invitation
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Invite an agent: print a link that sets the account's password once",
		Long: "Invite reads two lines from standard input: an agent's e-mail address and the name visitors see. It\n" +
			"makes the account, if there is none, and prints a single-use link, valid for 72 hours, with which its\n" +
			"owner sets the password. For an existing account that resets the password. With --redeem a third line\n" +
			"is the password, which is set at once.",
		Example: "  printf '%s\\n' agent@acme.example Alex | chatserver invite --config config.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			return i.run(cmd.Context(), config, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.port, "port", "", "public port of the endpoint in the printed link, if it is not 443")
	flags.BoolVar(&i.tokenOnly, "token", false, "print the bare token instead of a link")
	flags.BoolVar(&i.redeem, "redeem", false, "set the password from standard input instead of printing anything")
	cmd.MarkFlagsMutuallyExclusive("token", "redeem")
	return cmd
}

func (i *invitation) run(
	ctx context.Context, config *serverconfig.ChatServerConfiguration, in io.Reader, out io.Writer,
) error {
	if err := i.read(in); err != nil {
		return err
	}
	if err := i.validate(); err != nil {
		return err
	}
	people, closeStore, err := openIdentity(ctx, config)
	if err != nil {
		return err
	}
	defer closeStore()
	token, err := people.Invite(ctx, i.email, i.displayName)
	if err != nil {
		return err
	}
	if i.redeem {
		return redeem(ctx, people, token, i.password)
	}
	_, err = fmt.Fprintln(out, i.link(config.Endpoint.Host, token))
	return err
}

// read takes an address, a name and, to redeem, a password, a line each.
func (i *invitation) read(in io.Reader) error {
	lines := bufio.NewScanner(io.LimitReader(in, protocol.MaxBody))
	fields := []*redacted.String{&i.email, &i.displayName}
	if i.redeem {
		fields = append(fields, &i.password)
	}
	for _, field := range fields {
		if !lines.Scan() {
			return fmt.Errorf("standard input: want %d lines, see --help", len(fields))
		}
		*field = redacted.New(strings.TrimRight(lines.Text(), "\r"))
	}
	return nil
}

func (i *invitation) validate() error {
	contact := protocol.Contact{Email: protocol.Text{String: i.email}, Name: protocol.Text{String: i.displayName}}
	if err := contact.Validate(); err != nil || i.email.Reveal() == "" {
		return errors.New("standard input, line 1: want an address with one @ and no spaces")
	}
	if n := utf8.RuneCountInString(strings.TrimSpace(i.displayName.Reveal())); n < 1 || n > protocol.MaxDisplayName {
		return fmt.Errorf("standard input, line 2: want a name of 1 to %d characters", protocol.MaxDisplayName)
	}
	return nil
}

// link carries the token in the fragment, which browsers keep to themselves.
func (i *invitation) link(host string, token redacted.String) string {
	if i.tokenOnly {
		return token.Reveal()
	}
	if i.port != "" {
		host = net.JoinHostPort(host, i.port)
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/console/", Fragment: "invitation=" + token.Reveal()}
	return u.String()
}

func redeem(ctx context.Context, people *identity.Service, token, password redacted.String) error {
	redeemed, err := people.Redeem(ctx, token, password)
	if err != nil {
		return err
	}
	// Signing in is the agent's own business.
	return people.SignOut(ctx, redeemed.Agent)
}

func openIdentity(
	ctx context.Context, config *serverconfig.ChatServerConfiguration,
) (people *identity.Service, closeStore func(), err error) {
	db, err := openStore(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	people, err = identity.NewService(db)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return people, db.Close, nil
}

func openStore(ctx context.Context, config *serverconfig.ChatServerConfiguration) (*store.Store, error) {
	keys, err := kek.Open(config.Sealing, config.Egress)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Config{
		Database: config.Database, Tenant: config.Tenant.Name, Keys: keys, Logger: newLogger(),
	})
}
