//go:build cluster

// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/outside"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

func issuer(name, kind, namespace string, spec map[string]any) map[string]any {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return map[string]any{"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
}

func certificate(namespace, name, issuer string, spec map[string]any) map[string]any {
	spec["secretName"] = name
	spec["privateKey"] = map[string]any{"algorithm": "ECDSA", "size": 256}
	spec["issuerRef"] = map[string]string{"name": issuer, "kind": "Issuer"}
	return map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"name": name, "namespace": namespace}, "spec": spec,
	}
}

func TestCertManagerIssuesFromACertificateAuthority(t *testing.T) {
	ns := namespace(t, "lc-certificates")
	apply(t,
		issuer("self", "Issuer", ns, map[string]any{"selfSigned": map[string]any{}}),
		certificate(ns, "authority", "self", map[string]any{"isCA": true, "commonName": "authority"}),
		issuer("authority", "Issuer", ns, map[string]any{"ca": map[string]string{"secretName": "authority"}}),
		certificate(ns, "leaf", "authority", map[string]any{"dnsNames": []string{"acme.localhost"}}))
	mustKubectl(t, "wait", "--namespace", ns, "--for=condition=Ready", "--timeout", patience.String(), "certificate/leaf")
	kind := mustKubectl(t, "get", "secret", "--namespace", ns, "leaf", "--output", "jsonpath={.type}")
	if kind != "kubernetes.io/tls" {
		t.Errorf("the certificate's Secret is of type %q", kind)
	}
}

func TestTheAuditLogHoldsARequestOnceItWasAnswered(t *testing.T) {
	ns := namespace(t, "lc-audit")
	mustKubectl(t, "create", "secret", "generic", "--namespace", ns, "seen", "--from-literal", "key=never-in-the-log")
	log, err := os.ReadFile(layout.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "/api/v1/namespaces/"+ns+"/secrets") {
		t.Error("the creation of a Secret is not in the audit log")
	}
	if strings.Contains(string(log), "never-in-the-log") {
		t.Error("the content of a Secret is in the audit log")
	}
}

func TestTheOutsideAnswersAsItsFactsSay(t *testing.T) {
	output, err := localcluster(t.Context(), "outside").Output()
	if err != nil {
		t.Fatal(err)
	}
	var facts outside.Facts
	if err := json.Unmarshal(output, &facts); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(facts.CAFile); err != nil {
		t.Errorf("the outside's authority: %v", err)
	}
	ns := namespace(t, "lc-outside")
	apply(t, pod(t, ns, "shell", topology.Nodes()[1].Region, "sleep infinity", nil))
	awaitReady(t, ns, "shell")
	name := fmt.Sprintf("asked-%d.%s", os.Getpid(), facts.DNS.Wildcard)
	mustKubectl(t, "exec", "--namespace", ns, "shell", "--", "getent", "hosts", name)
	if log, err := os.ReadFile(facts.DNS.LogFile); err != nil || !strings.Contains(string(log), name) {
		t.Errorf("the outside's DNS does not log what it was asked: %v", err)
	}
	for _, server := range facts.Servers {
		for _, port := range append(server.TLSPorts, server.TCPPorts...) {
			if !reach(t.Context(), ns, "shell", destination{server.Name, server.Address, fmt.Sprint(port)}) {
				t.Errorf("%s does not answer on port %d", server.Name, port)
			}
		}
	}
}

func TestTheHostReachesTheIngressNodePort(t *testing.T) {
	owner, err := kubectl(t.Context(), "", "get", "service", "--all-namespaces", "--output",
		"jsonpath={.items[?(@.spec.ports[0].nodePort==30443)].metadata.name}")
	if err != nil || owner != "" {
		t.Skipf("Service %q has the port: %v", owner, err)
	}
	ns := namespace(t, "lc-ingress")
	apply(t, pod(t, ns, "server", topology.Nodes()[1].Region, serve, nil), map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "ingress", "namespace": ns},
		"spec": map[string]any{
			"type": "NodePort", "selector": map[string]string{"name": "server"},
			"ports": []any{map[string]any{"port": 5432, "nodePort": topology.IngressNodePort}},
		},
	})
	awaitReady(t, ns, "server")
	eventually(t, patience, func() error { return sslAnswer(t.Context()) })
}

// sslAnswer asks PostgreSQL on the ingress port whether it speaks TLS, to which the answer is one letter.
func sslAnswer(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:8443")
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if _, err := connection.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(connection, answer); err != nil || answer[0] != 'N' {
		return fmt.Errorf("answer is %q, %w", answer, err)
	}
	return nil
}

func TestTheAPIServerIsKnownByItsAuthority(t *testing.T) {
	pem, err := os.ReadFile(layout.PKI() + "/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	connection, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:6443")
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}
