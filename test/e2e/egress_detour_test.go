// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/e2e/podnet"
)

// clientRefused is how the gateway logs a client that is not the chat server: it has not heard of a request yet, so
// there is nobody to tell a reason.
const clientRefused = `"result":"ClientRefused"`

// clientsAreTheChatServer asks for a declared host as somebody else. That others do not even reach the gateway is part
// of the matrix.
func clientsAreTheChatServer(t *testing.T, way *exit) {
	for name, certificates := range inOrder(map[string][]tls.Certificate{
		"no certificate":                        nil,
		"the certificate of its database":       certificatesIn(t, exporter, "postgres-server"),
		"the certificate of the gateway itself": certificatesIn(t, exporter, naming.Egress),
		"another tenant's chat server's":        certificatesIn(t, acme, "postgres-client"),
	}) {
		r := record(t, sectionEgress, "from a client with "+name)
		before := gatewaySaid(t, clientRefused)
		other := *way
		other.config = way.config.Clone()
		other.config.Certificates = certificates
		if got := other.asked(t, usedHost+":443"); got == "open" || !strings.Contains(got, "hear the gateway") {
			r.otherwise("%s", got)
			t.Errorf("%s: answered %q", name, got)
			continue
		}
		eventually(t, patience, "the gateway to log it", func(context.Context) error {
			if gatewaySaid(t, clientRefused) == before {
				return errors.New("it has not")
			}
			return nil
		})
		r.refused("ClientRefused")
	}
}

// certificatesIn is the certificate in a tenant's Secret, with its key.
func certificatesIn(t *testing.T, tenant, name string) []tls.Certificate {
	t.Helper()
	shown := secret(t, naming.Namespace(tenant), name)
	pair, err := tls.X509KeyPair(shown.Data[corev1.TLSCertKey], shown.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{pair}
}

// gatewaySaid counts the lines of the exporter's gateways that contain something.
func gatewaySaid(t *testing.T, what string) int {
	t.Helper()
	lines := 0
	for _, pod := range tenantPods(t, exporter, naming.Egress) {
		log, err := live.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		if err != nil {
			t.Fatalf("read the log of %s: %v", pod.Name, err)
		}
		lines += strings.Count(string(log), what)
	}
	return lines
}

// nothingGoesPast leaves the gateway out, and has a recipient send its client elsewhere.
func nothingGoesPast(t *testing.T, way *exit) {
	chat, gateway := tenantPods(t, exporter, naming.ChatServer)[0], tenantPods(t, exporter, naming.Egress)[0]
	resolver := net.JoinHostPort(service(t, "kube-system", "kube-dns").Spec.ClusterIP, fmt.Sprint(dnsPort))
	outer := net.JoinHostPort(outsideFacts(t).DNS.Address, fmt.Sprint(dnsPort))
	with := newProber(t)
	var detours []*detour
	// Each waits for as long as a closed door takes: they wait together.
	var waits errgroup.Group
	for _, tc := range []*detour{
		{"from the chat server straight to a declared recipient", inside(t, &chat), false, "network policy",
			[]attempt{{Network: "tcp", Address: crmAddress + ":443"}, {Network: "tcp", Address: crmAddress + ":80"}}, nil},
		{"QUIC from the chat server (UDP 443)", inside(t, &chat), false, "network policy",
			[]attempt{{Network: "udp", Address: crmAddress + ":443"}}, nil},
		{"QUIC from the gateway's own pod (UDP 443)", inside(t, &gateway), false, "network policy",
			[]attempt{{Network: "udp", Address: crmAddress + ":443"}}, nil},
		{"DNS from the chat server (UDP, TCP, the cluster's and the outside's)", inside(t, &chat), false, "network policy",
			[]attempt{{Network: "dns", Address: resolver}, {Network: "tcp", Address: resolver},
				{Network: "dns", Address: outer}, {Network: "tcp", Address: outer}}, nil},
		{"DNS from the gateway's own pod to the outside", inside(t, &gateway), false, "network policy",
			[]attempt{{Network: "dns", Address: outer}, {Network: "tcp", Address: outer}}, nil},
		{"DNS from the gateway's own pod to the cluster's", inside(t, &gateway), true,
			"what it must have to resolve; whoever takes the gateway over can put data in questions",
			[]attempt{{Network: "dns", Address: resolver}}, nil},
	} {
		waits.Go(func() error { return tc.try(t.Context(), with) })
		detours = append(detours, tc)
	}
	if err := waits.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range detours {
		tc.judge(t)
	}
	redirected(t, way)
}

// detour is a way that leaves the gateway out, from one pod's place in the network.
type detour struct {
	name     string
	from     *podnet.Namespace
	open     bool
	words    string
	attempts []attempt
	outcomes []outcome
}

func (d *detour) try(ctx context.Context, with prober) (err error) {
	within := closedPatience
	if d.open {
		within = openPatience
	}
	for i := range d.attempts {
		d.attempts[i].ID, d.attempts[i].TimeoutMs = fmt.Sprint(i), within.Milliseconds()
	}
	d.outcomes, err = with.try(ctx, d.from, d.attempts)
	return err
}

// judge makes a row of what became of the tries.
func (d *detour) judge(t *testing.T) {
	t.Helper()
	r := record(t, sectionEgress, d.name)
	for i, o := range d.outcomes {
		switch {
		case o.Outcome.isOpen() != d.open:
			r.otherwise("%s: %s", d.attempts[i].Address, o.Outcome)
			t.Errorf("%s: %s: %s", d.name, d.attempts[i].Address, o.Outcome)
		case d.open:
			r.opened("%s", d.words)
		default:
			r.refused("%s", d.words)
		}
	}
}

// redirected follows a declared recipient's redirects, as an HTTP client does, through the gateway.
func redirected(t *testing.T, way *exit) {
	t.Helper()
	for to, reason := range inOrder(map[string]egressconfig.Reason{
		"https://" + unusedHost + "/":   egressconfig.ReasonNotDeclared,
		"http://" + usedHost + "/":      egressconfig.ReasonNotDeclared,
		"http://169.254.169.254/latest": egressconfig.ReasonMalformedTarget,
	}) {
		r := record(t, sectionEgress, "a recipient redirects to "+to)
		client := &http.Client{Timeout: openPatience, Transport: &http.Transport{
			DialContext: way.dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: way.outside},
		}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"https://"+usedHost+"/redirect?to="+to, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
		}
		var denied *deniedError
		if !errors.As(err, &denied) || denied.reason != string(reason) {
			r.otherwise("%v", err)
			t.Errorf("redirected to %s: %v, want %s", to, err, reason)
			continue
		}
		r.refused("%s", reason)
	}
}

// dial connects through the gateway, for an HTTP client.
func (w *exit) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	conn, _, answer, err := w.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	if got := denial(answer); got != "open" {
		_ = conn.Close()
		return nil, &deniedError{got}
	}
	return conn, conn.SetDeadline(time.Now().Add(openPatience))
}
