// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
)

const complete = `apiVersion: config.chattenant.io/v1alpha1
kind: ChatServerConfiguration
tenant:
  name: acme
  displayName: Acme GmbH
  policyURL: https://www.acme.example/privacy
  region: {name: eu-central, displayName: Frankfurt, jurisdiction: DE}
endpoint: {host: acme.localhost, allowedOrigins: ["https://www.acme.example", "https://shop.acme.example:8443"]}
listen: {public: ":8443", health: ":9443"}
tls: {certFile: /tls/tls.crt, keyFile: /tls/tls.key}
database:
  host: postgres.chat-acme.svc
  port: 5432
  name: chat
  user: chatserver
  tls: {certFile: /pg/tls.crt, keyFile: /pg/tls.key}
  caFile: /pg/ca.crt
  maxConnections: 4
sealing: {secretKey: {file: /kek/key, generation: 1}}
trustFile: /trust/trust.json
drainSeconds: 20
`

func TestACompleteConfigurationIsRead(t *testing.T) {
	c, err := serverconfig.Parse([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	if c.Database.Host != "postgres.chat-acme.svc" || c.DrainTimeout() != 20*time.Second ||
		c.Sealing.SecretKey.Generation != 1 || len(c.Endpoint.AllowedOrigins) != 2 {
		t.Errorf("read %+v", c)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"unknown field":       {"drainSeconds: 20", "drainSeconds: 20\nextra: 1", "extra"},
		"repeated field":      {"drainSeconds: 20", "drainSeconds: 20\ndrainSeconds: 21", "drainSeconds"},
		"wrong kind":          {"kind: ChatServerConfiguration", "kind: Other", "kind"},
		"missing host":        {"host: acme.localhost", "host: ''", "endpoint.host"},
		"missing CA":          {"caFile: /pg/ca.crt", "caFile: ''", "database.caFile"},
		"no trust document":   {"trustFile: /trust/trust.json", "trustFile: ''", "trustFile"},
		"no key file":         {"file: /kek/key", "file: ''", "sealing.secretKey.file"},
		"age below zero":      {"generation: 1}}", "generation: 1}, rotateAfterDays: -1}", "sealing.rotateAfterDays"},
		"port out of range":   {"port: 5432", "port: 65536", "database.port"},
		"no connections":      {"maxConnections: 4", "maxConnections: 0", "database.maxConnections"},
		"no time to drain":    {"drainSeconds: 20", "drainSeconds: 0", "drainSeconds"},
		"origin without TLS":  {"https://www.acme.example\"", "http://www.acme.example\"", "allowedOrigins[0]"},
		"origin with a path":  {"https://www.acme.example\"", "https://www.acme.example/\"", "allowedOrigins[0]"},
		"origin with a login": {"https://www.acme.example\"", "https://a@www.acme.example\"", "allowedOrigins[0]"},
		"origin and a rule":   {"https://www.acme.example\"", "https://a.example;sandbox\"", "allowedOrigins[0]"},
		"origin of anyone":    {"https://www.acme.example\"", "*\"", "allowedOrigins[0]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spoilt := strings.Replace(complete, test.old, test.new, 1)
			if spoilt == complete {
				t.Fatal("the mistake was not made")
			}
			if _, err := serverconfig.Parse([]byte(spoilt)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse = %v, want %q named", err, test.want)
			}
		})
	}
}

func TestAnEgressGatewayIsNamedWholeOrNotAtAll(t *testing.T) {
	const gateway = `egress: {address: "egress.chat-acme.svc:8444", serverName: egress.chat-acme.svc, ` +
		"certFile: /egress/tls.crt, keyFile: /egress/tls.key, caFile: /egress/ca.crt}\n"
	c, err := serverconfig.Parse([]byte(complete + gateway))
	if err != nil || c.Egress == nil || c.Egress.CertFile != "/egress/tls.crt" {
		t.Fatalf("read %+v, %v", c, err)
	}
	for _, test := range [][3]string{
		{"egress.chat-acme.svc:8444", "egress.chat-acme.svc", "egress.address"},
		{"serverName: egress.chat-acme.svc", "serverName: ''", "egress.serverName"},
		{"/egress/tls.crt", "''", "egress.certFile"}, {"/egress/tls.key", "''", "egress.keyFile"},
		{"/egress/ca.crt", "''", "egress.caFile"}, {"serverName", "name", "unknown field"},
	} {
		_, err := serverconfig.Parse([]byte(complete + strings.Replace(gateway, test[0], test[1], 1)))
		if err == nil || !strings.Contains(err.Error(), test[2]) {
			t.Errorf("Parse = %v, want %q named", err, test[2])
		}
	}
}

func TestKeysAreRotatedEveryNinetyDaysUnlessSaidOtherwise(t *testing.T) {
	const key, day = "generation: 1}}", 24 * time.Hour
	tests := map[string]struct {
		sealing string
		want    time.Duration
	}{
		"by default": {key, 90 * day},
		"sooner":     {"generation: 1}, rotateAfterDays: 30}", 30 * day},
		"never":      {"generation: 1}, rotateAfterDays: 0}", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := serverconfig.Parse([]byte(strings.Replace(complete, key, test.sealing, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Sealing.RotateAfter(); got != test.want {
				t.Errorf("RotateAfter = %v, want %v", got, test.want)
			}
		})
	}
}
