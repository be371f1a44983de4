// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/loopback"
)

// writeConfig writes a configuration file as the operator would.
func writeConfig(
	t *testing.T, db *storetest.Database, ca *certtest.CA,
) (file string, config *serverconfig.ChatServerConfiguration) {
	t.Helper()
	config = servertest.NewConfig(t, db, ca)
	data, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, config
}

// run executes a command line and returns what it printed.
func run(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestInviteRedeemMakesALoginWithoutShowingAnything(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	invite := func(password string) (string, error) {
		return run(t, "grace@example.org\nGrace\n"+password+"\n", "invite", "--config", file, "--redeem")
	}
	for _, password := range []string{"a first long password", servertest.Password} {
		out, err := invite(password)
		if err != nil || out != "" {
			t.Fatalf("invite printed %q, %v", out, err)
		}
	}
	r := servertest.Start(t, db)
	c := r.Client(t)
	email := redacted.New("grace@example.org")
	if _, err := c.SignIn(t.Context(), email, redacted.New("a first long password")); err == nil {
		t.Error("the first password still works")
	}
	who, err := c.SignIn(t.Context(), email, redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	if session, err := c.WhoAmI(t.Context(), who); err != nil || session.DisplayName.Reveal() != "Grace" {
		t.Errorf("signed in as %v, %v", session.Agent, err)
	}
	if _, err := invite("short"); err == nil {
		t.Error("a short password is taken")
	}
}

func TestInvitePrintsALinkThatWorksOnce(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	out, err := run(t, "grace@example.org\nGrace\n", "invite", "--config", file, "--port", "8443")
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(strings.TrimSpace(out))
	if err != nil || link.Scheme+"://"+link.Host+link.Path != servertest.Endpoint+"/console/" {
		t.Fatalf("printed %q, %v", out, err)
	}
	token := redacted.New(strings.TrimPrefix(link.Fragment, "invitation="))
	c := servertest.Start(t, db).Client(t)
	if _, err := c.Redeem(t.Context(), token, redacted.New(servertest.Password)); err != nil {
		t.Error(err)
	}
	if _, err := c.Redeem(t.Context(), token, redacted.New(servertest.Password)); err == nil {
		t.Error("the link works twice")
	}
}

func TestInviteRefusesWhatIsNoAddressOrName(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	people := []string{"grace\nGrace\n", "\nGrace\n", "grace@example.org\n \n", "a b@c\nGrace\n", "", "grace@x\n"}
	for _, person := range people {
		_, err := run(t, person, "invite", "--config", file)
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "grace") {
			t.Errorf("%q: %v", person, err)
		}
	}
}

func TestServeRunsFromAConfigurationFileAndStopsWhenAsked(t *testing.T) {
	db := storetest.New(t)
	ca := certtest.NewCA(t)
	_, config := writeConfig(t, db, ca)
	config.Listen = serverconfig.Listen{Public: loopback.Address(t), Health: loopback.Address(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- serve(ctx, config) }()
	r := &servertest.Replica{Config: config, Public: config.Listen.Public, Health: config.Listen.Health, Roots: ca.Pool(),
		Log: &servertest.LogBuffer{}}
	r.WaitReady(t)
	c := r.Client(t)
	if _, err := c.Info(t.Context()); err != nil {
		t.Error(err)
	}
	c.Close()
	expectPage(t, r)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("serve ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("serve does not stop")
	}
}

// expectPage accepts a built page or the advice to build it.
func expectPage(t *testing.T, r *servertest.Replica) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: r.TLS(), DialContext: r.Dial, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, servertest.Endpoint+"/widget.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	_, _ = body.ReadFrom(response.Body)
	built := response.StatusCode == http.StatusOK
	advice := response.StatusCode == http.StatusServiceUnavailable && strings.Contains(body.String(), "make web")
	if !built && !advice {
		t.Errorf("/widget.js answers %s", response.Status)
	}
}

func TestMigrateAndVersion(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	for range 2 {
		if _, err := run(t, "", "migrate", "--config", file); err != nil {
			t.Fatal(err)
		}
	}
	var tables int
	err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE tablename = 'event'`).Scan(&tables)
	if err != nil || tables != 1 {
		t.Errorf("%d tables, %v", tables, err)
	}
	if out, err := run(t, "", "version"); err != nil || !strings.HasPrefix(out, "chatserver ") {
		t.Errorf("version printed %q, %v", out, err)
	}
}

func TestAConfigurationWithMistakesIsRefusedAtOnce(t *testing.T) {
	db := storetest.New(t)
	file, config := writeConfig(t, db, certtest.NewCA(t))
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"unknown field": string(data) + "\nextra: true\n",
		"missing host":  strings.Replace(string(data), "host: "+config.Endpoint.Host, "host: ''", 1),
		"not YAML":      "{",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := run(t, "", "serve", "--config", file); err == nil {
			t.Errorf("%s: served", name)
		}
	}
}
