// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal/kek/kektest"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// withTransit makes a replica ask a key service, with the Secret's key as the earlier one.
func withTransit(config serverconfig.VaultTransit) servertest.Option {
	return func(c *serverconfig.ChatServerConfiguration, _ *server.Options) {
		config.Generation = 2
		c.Sealing.Previous = []serverconfig.KeyEncryptionKey{c.Sealing.KeyEncryptionKey}
		c.Sealing.KeyEncryptionKey = serverconfig.KeyEncryptionKey{VaultTransit: &config}
	}
}

func expectMetrics(t *testing.T, r *servertest.Replica, lines ...string) {
	t.Helper()
	_, metrics := r.Probe(t, "/metrics")
	for _, line := range lines {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("the metrics lack %q", line)
		}
	}
}

func TestAServerWaitsForItsKeyServiceAndServesWhenItComes(t *testing.T) {
	db, service := storetest.New(t), kektest.NewTransit(t)
	config := service.WithToken(t)
	service.SetSealed(t, true)
	r := servertest.Launch(t, db, withTransit(config))
	waitUntil(t, "readiness names the key service", func() bool {
		status, body := r.Probe(t, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "key service")
	})
	expectMetrics(t, r, "chattenant_key_service_up 0", "chattenant_kek_generation 0")
	if status, _ := r.Probe(t, "/livez"); status != http.StatusOK {
		t.Errorf("without a key service /livez answers %d", status)
	}
	service.SetSealed(t, false)
	r.WaitReady(t)
	v, c := newVisitor(t, r.Client(t))
	asked := service.Asked()
	for _, text := range []string{"one", "two", "three"} {
		if _, err := v.Send(t.Context(), c, text); err != nil {
			t.Fatal(err)
		}
	}
	if n := service.Asked(); n != asked {
		t.Errorf("three messages asked the key service %d times", n-asked)
	}
	expectMetrics(t, r, "chattenant_key_service_up 1", "chattenant_kek_generation 2", "chattenant_keys_locked 0")
	if log := r.Log.String(); !strings.Contains(log, "sealed") || strings.Contains(log, "hvs.") {
		t.Error("the log does not say that the server is sealed, or shows a token")
	}
}

func TestMovingFromASecretToAKeyServiceKeepsEverythingReadable(t *testing.T) {
	db, service := storetest.New(t), kektest.NewTransit(t)
	first := servertest.Start(t, db)
	who, err := first.Client(t).NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, first.Client(t), who)
	opened, err := v.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := opened.Conversation
	if _, err := v.Send(t.Context(), c, "before"); err != nil {
		t.Fatal(err)
	}
	second := servertest.StartBeside(t, db, first, withTransit(service.WithCertificate(t)))
	expectMetrics(t, second, "chattenant_kek_generation 2")
	if _, err := v.Send(t.Context(), c, "through the old replica"); err != nil {
		t.Error(err)
	}
	reader := servertest.Attend(t, second.Client(t), who)
	events := reader.WaitFor(t, c, 2)
	if events[0].Body.Reveal() != "before" || events[1].Body.Reveal() != "through the old replica" {
		t.Error("the new replica reads something else")
	}
}

func TestAKeyThatIsNotTheTenantsEndsTheServerWithGenerations(t *testing.T) {
	db := storetest.New(t)
	db.Open(t)
	wrong := func(c *serverconfig.ChatServerConfiguration, _ *server.Options) { c.Sealing.SecretKey.Generation = 5 }
	r := servertest.Launch(t, db, wrong)
	err := r.Wait()
	if err == nil || !strings.Contains(err.Error(), "generation 1 (secret), configured are 5 (secret)") {
		t.Errorf("ended with %v", err)
	}
}
