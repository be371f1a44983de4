// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/egressconfig"
)

const complete = `
apiVersion: config.chattenant.io/v1alpha1
kind: EgressConfiguration
tenant: acme
recipients:
- name: mailer
  endpoints:
  - {host: smtp.mailer.example, port: 465}
  - {host: api.mailer.example, port: 443}
- name: backups
  endpoints:
  - {host: s3.backups.example, port: 443}
limits:
  maxConnections: 512
  maxConnectionsPerRecipient: 256
  requestSeconds: 10
  resolveSeconds: 5
  helloSeconds: 10
  dialSeconds: 10
  idleSeconds: 300
  halfClosedSeconds: 60
`

func TestACompleteFileIsUnderstoodInCanonicalOrder(t *testing.T) {
	got, err := egressconfig.Parse([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	want := egressconfig.New("acme", []egressconfig.Recipient{
		{Name: "backups", Endpoints: []egressconfig.Endpoint{{Host: "s3.backups.example", Port: 443}}},
		{Name: "mailer", Endpoints: []egressconfig.Endpoint{
			{Host: "api.mailer.example", Port: 443}, {Host: "smtp.mailer.example", Port: 465},
		}},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFileThatIsNotExactlyRightIsRefused(t *testing.T) {
	listed := complete[strings.Index(complete, "recipients"):strings.Index(complete, "limits")]
	for name, change := range map[string]struct{ old, replacement, want string }{
		"another version":        {"v1alpha1", "v2", "apiVersion, kind"},
		"an unknown field":       {"tenant: acme", "tenant: acme\nopen: true", "unknown field"},
		"a repeated field":       {"tenant: acme", "tenant: acme\ntenant: init", "already set"},
		"no tenant":              {"tenant: acme", "tenant: ''", "tenant: required"},
		"no list of recipients":  {listed, "", "recipients: required"},
		"two of one name":        {"name: backups", "name: mailer", "recipients[1].name"},
		"no name":                {"name: backups", "name: ''", "recipients[1].name"},
		"no endpoint":            {"\n  - {host: s3.backups.example, port: 443}", " []", "recipients[1].endpoints"},
		"an endpoint twice":      {"api.mailer.example, port: 443", "smtp.mailer.example, port: 465", "there twice"},
		"upper case":             {"s3.backups", "S3.backups", "recipients[1].endpoints[0]: host"},
		"a trailing dot":         {"s3.backups.example", "s3.backups.example.", "recipients[1].endpoints[0]: host"},
		"a wildcard":             {"s3.backups", "'*.backups", "error converting"},
		"an address":             {"s3.backups.example", "10.0.0.1", "recipients[1].endpoints[0]: host"},
		"port 0":                 {"port: 465", "port: 0", "port: want 1"},
		"a port beyond 16 bits":  {"port: 465", "port: 65536", "port: want 1"},
		"no limit":               {"idleSeconds: 300", "idleSeconds: 0", "limits.idleSeconds"},
		"a limit that is none":   {"dialSeconds: 10", "dialSeconds: 86401", "limits.dialSeconds"},
		"a limit that is absent": {"  helloSeconds: 10\n", "", "limits.helloSeconds"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(complete, change.old, change.replacement, 1)
			if text == complete {
				t.Fatalf("%q is not in the file", change.old)
			}
			c, err := egressconfig.Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), change.want) {
				t.Errorf("%v, want: %s", err, change.want)
			}
			if c != nil {
				t.Error("a configuration and an error")
			}
		})
	}
}

func TestNobodyToReachIsAValidConfiguration(t *testing.T) {
	data, err := egressconfig.New("acme", nil).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := egressconfig.Parse(data); err != nil {
		t.Errorf("%v in\n%s", err, data)
	}
}

func TestTheDigestIsOfTheContentAndNotOfItsOrder(t *testing.T) {
	mail := egressconfig.Endpoint{Host: "smtp.mailer.example", Port: 465}
	api := egressconfig.Endpoint{Host: "api.mailer.example", Port: 443}
	digest := func(recipients ...egressconfig.Recipient) string {
		c := &egressconfig.EgressConfiguration{Tenant: "acme", Recipients: recipients}
		sum, err := c.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	a := egressconfig.Recipient{Name: "a", Endpoints: []egressconfig.Endpoint{mail, api}}
	b := egressconfig.Recipient{Name: "b", Endpoints: []egressconfig.Endpoint{api}}
	turned := egressconfig.Recipient{Name: "a", Endpoints: []egressconfig.Endpoint{api, mail}}
	if digest(a, b) != digest(b, turned) {
		t.Error("another order has another digest")
	}
	if digest(a, b) == digest(a) || digest(a) == digest(b) {
		t.Error("other content has the same digest")
	}
	if a.Endpoints[0] != mail {
		t.Error("the digest reordered its argument")
	}
}
