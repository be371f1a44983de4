// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vault

// Package keyservice holds what the operator renders of a tenant with a key service against a real Vault, by way of the
// real egress gateway.
package keyservice

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/gateway/egress"
	"github.com/chattenant/chattenant/gateway/socket"
)

const (
	vaultHost = "vault.keys.example"
	vaultPort = 8200
	subject   = "system:serviceaccount:chat-acme:chatserver"
	audience  = "vault.keys.example"
	// vaultAddress is a public one, which only the gateway's dialler here knows.
	vaultAddress = "50.0.0.1"
)

// tenant is one whose key is in Vault, and whom keys-eu may be reached for.
func tenant(authority string) desired.Input {
	return desired.Input{
		Tenant: &v1alpha1.ChatTenant{
			ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "11111111-2222-3333-4444-555555555555"},
			Spec: v1alpha1.ChatTenantSpec{
				DisplayName: "Acme GmbH",
				Endpoint: v1alpha1.Endpoint{
					Host: "chat.acme.example", AllowedOrigins: []v1alpha1.Origin{"https://www.acme.example"},
				},
				Privacy: v1alpha1.Privacy{PolicyURL: "https://www.acme.example/privacy"},
				Encryption: &v1alpha1.Encryption{
					Provider: v1alpha1.EncryptionVaultTransit,
					VaultTransit: &v1alpha1.VaultTransit{
						Generation: 1, Address: "https://" + vaultHost + ":8200", MountPath: "transit", Key: "acme",
						CABundle: authority,
						Login:    v1alpha1.VaultLogin{MountPath: "kubernetes", Role: "acme", Audience: audience},
					},
				},
			},
		},
		Class: &v1alpha1.ChatTenantClass{},
		Region: &v1alpha1.DataRegion{
			ObjectMeta: metav1.ObjectMeta{Name: "eu-central"},
			Spec:       v1alpha1.DataRegionSpec{DisplayName: "Frankfurt", Jurisdiction: "DE"},
		},
		PostgresAddress: "10.96.0.10", KeyGeneration: 1,
		Egress: &desired.Egress{Address: "10.96.0.11", Recipients: []desired.Recipient{
			{Name: "keys-eu", Endpoints: []v1alpha1.RecipientEndpoint{{Host: vaultHost, Port: vaultPort}}},
		}},
	}
}

func rendered[T any](t *testing.T, object any) (out T) {
	t.Helper()
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pod stands in for kubelet: what the rendered pod mounts of its configuration, tokens and certificates is below root.
type pod struct {
	root   string
	config *serverconfig.ChatServerConfiguration
}

func mount(t *testing.T, in desired.Input, ca *certtest.CA, sign func(audience string) string) *pod {
	t.Helper()
	objects := desired.ChatServer(in)
	files := rendered[corev1.ConfigMap](t, objects[0]).Data
	spec := rendered[appsv1.Deployment](t, objects[2]).Spec.Template.Spec
	p := &pod{root: t.TempDir()}
	paths := map[string]string{}
	for _, m := range spec.Containers[0].VolumeMounts {
		paths[m.Name] = filepath.Join(p.root, m.MountPath)
		if err := os.MkdirAll(paths[m.Name], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, volume := range spec.Volumes {
		p.fill(t, volume, paths[volume.Name], files, ca, sign)
	}
	config, err := serverconfig.Parse([]byte(strings.NewReplacer("/etc/", p.root+"/etc/", "/var/", p.root+"/var/").
		Replace(files["config.yaml"])))
	if err != nil {
		t.Fatal(err)
	}
	p.config = config
	return p
}

func (p *pod) fill(
	t *testing.T, volume corev1.Volume, path string, files map[string]string, ca *certtest.CA, sign func(string) string,
) {
	t.Helper()
	switch {
	case volume.Projected != nil:
		for _, source := range volume.Projected.Sources {
			write(t, filepath.Join(path, source.ServiceAccountToken.Path), sign(source.ServiceAccountToken.Audience))
		}
	case volume.ConfigMap != nil && volume.ConfigMap.Name == naming.ChatServer:
		for name, content := range files {
			write(t, filepath.Join(path, name), content)
		}
	case volume.Secret != nil && volume.Secret.SecretName == "egress-client":
		ca.Write(t, path, certtest.Leaf{CommonName: naming.EgressClientName})
		ca.WriteCert(t, filepath.Join(path, "ca.crt"))
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// names answers for one host as DNS would.
type names struct{}

func (names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if strings.TrimSuffix(host, ".") != vaultHost {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{netip.MustParseAddr(vaultAddress)}, nil
}

// startGateway is the tenant's egress gateway; the public address that it resolves leads to where Vault listens.
func startGateway(t *testing.T, ca *certtest.CA, leadsTo string) (gateway *egress.Server, address string) {
	t.Helper()
	dir := t.TempDir()
	host := naming.ServiceHost("acme", naming.Egress)
	pair := ca.Write(t, dir, certtest.Leaf{CommonName: "egress", Hosts: []string{host}})
	credentials, err := egress.NewCredentials(egress.CredentialFiles{
		CertFile: pair.CertFile, KeyFile: pair.KeyFile, CAFile: ca.WriteCert(t, filepath.Join(dir, "ca.crt")),
	})
	if err != nil {
		t.Fatal(err)
	}
	gateway = egress.New(egress.Options{
		TLS: credentials.TLS, Resolver: names{}, Metrics: egress.NewMetrics(prometheus.NewRegistry()),
		Clock: clock.RealClock{}, Log: logr.Discard(),
		Dial: func(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
			if addr != netip.AddrPortFrom(netip.MustParseAddr(vaultAddress), vaultPort) {
				return nil, errors.New("somewhere else")
			}
			return egress.Direct()(ctx, netip.MustParseAddrPort(leadsTo))
		},
	})
	listener, err := socket.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- gateway.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return gateway, listener.Addr().String()
}

func apply(t *testing.T, gateway *egress.Server, in desired.Input) {
	t.Helper()
	config, err := egressconfig.Parse([]byte(rendered[corev1.ConfigMap](t, desired.EgressConfig(in)).Data["egress.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	gateway.Apply(config)
}

func TestAChatServerAsItIsRenderedKeepsItsKeysInVault(t *testing.T) {
	inside, outside := certtest.NewCA(t), certtest.NewCA(t)
	v := startVault(t, outside, subject, audience)
	authority, err := os.ReadFile(outside.WriteCert(t, filepath.Join(t.TempDir(), "ca.crt")))
	if err != nil {
		t.Fatal(err)
	}
	in := tenant(string(authority))
	p := mount(t, in, inside, func(audience string) string { return v.Token(t, subject, audience) })
	gateway, address := startGateway(t, inside, v.Address)
	// The pod's hosts file leads the name to the Service; the name itself is what the certificate is checked for.
	p.config.Egress.Address = address
	apply(t, gateway, in)
	newest := func() kek.Key {
		ring, err := kek.Open(p.config.Sealing, p.config.Egress)
		if err != nil {
			t.Fatal(err)
		}
		return ring.Newest()
	}

	wrapped, err := seal.NewTenant(t.Context(), newest(), p.config.Tenant.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenTenant(t.Context(), newest(), p.config.Tenant.Name, wrapped); err != nil {
		t.Fatal(err)
	}
	refused := func(name, want string) {
		t.Helper()
		_, err := seal.OpenTenant(t.Context(), newest(), p.config.Tenant.Name, wrapped)
		if !errors.Is(err, kek.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it unavailable with %q", name, err, want)
		}
	}

	file := p.config.Sealing.VaultTransit.Auth.JWT.File
	for name, stolen := range map[string]string{
		"for another audience":   v.Token(t, subject, "https://kubernetes.default.svc"),
		"of another tenant":      v.Token(t, "system:serviceaccount:chat-globex:chatserver", audience),
		"of the tenant's egress": v.Token(t, "system:serviceaccount:chat-acme:egress", audience),
	} {
		write(t, file, stolen)
		refused("a token "+name, "auth/kubernetes/login")
	}
	write(t, file, v.Token(t, subject, audience))
	if _, err := seal.OpenTenant(t.Context(), newest(), p.config.Tenant.Name, wrapped); err != nil {
		t.Fatal(err)
	}

	in.Egress.Recipients = nil
	apply(t, gateway, in)
	refused("with the recipient closed", "NotDeclared")
}
