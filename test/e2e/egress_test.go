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
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Recipients of the test: servers of the local cluster's outside.
const (
	usedHost    = "crm.example"
	unusedHost  = "mail.example"
	specialHost = "special.example"
)

// closingTime is how soon a recipient that is not effective any more must be cut off.
const closingTime = 10 * time.Second

// TestARecipientIsReachedWhileItIsEffectiveAndNoLonger follows one on the wire: declared, objected to while connected,
// accepted again, and removed while connected.
func TestARecipientIsReachedWhileItIsEffectiveAndNoLonger(t *testing.T) {
	temporarily(t, recipientAt(usedHost))
	temporarily(t, recipientAt(specialHost))
	tenant := newTenant("exporter")
	tenant.Spec.SubProcessors = using(usedHost, specialHost)
	createReady(t, tenant)
	way := wayOut(t, tenant.Name)

	live := way.hold(t, usedHost)
	t.Run("everything else is refused", func(t *testing.T) { refusals(t, way) })
	changeTenant(t, tenant.Name, func(changed *v1alpha1.ChatTenant) {
		changed.Spec.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: recipientName(usedHost)}}
	})
	live.mustBeCut(t, "objected to")
	way.mustRefuse(t, usedHost, egressconfig.ReasonNotDeclared)

	changeTenant(t, tenant.Name, func(changed *v1alpha1.ChatTenant) { changed.Spec.SubProcessors.Objections = nil })
	live = way.hold(t, usedHost)
	changeTenant(t, tenant.Name, func(changed *v1alpha1.ChatTenant) {
		changed.Spec.SubProcessors = using(specialHost)
	})
	live.mustBeCut(t, "taken out")
}

// refusals are what the gateway must not do, asked of the real one.
func refusals(t *testing.T, way *exit) {
	t.Helper()
	for target, reason := range map[string]egressconfig.Reason{
		unusedHost + ":443":        egressconfig.ReasonNotDeclared,
		usedHost + ":8443":         egressconfig.ReasonNotDeclared,
		usedHost + ".:443":         egressconfig.ReasonMalformedTarget,
		"CRM.example:443":          egressconfig.ReasonMalformedTarget,
		"11.22.33.11:443":          egressconfig.ReasonMalformedTarget,
		"169.254.169.254:80":       egressconfig.ReasonMalformedTarget,
		"[::ffff:11.22.33.11]:443": egressconfig.ReasonMalformedTarget,
		specialHost + ":443":       egressconfig.ReasonAddressRefused,
	} {
		if got := way.asked(t, target); got != string(reason) {
			t.Errorf("%s: answered %q, want %s", target, got, reason)
		}
	}
	if err := way.shakeHands(t, usedHost, unusedHost); err == nil {
		t.Errorf("asked for %s, a handshake with %s went through", usedHost, unusedHost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), closedPatience)
	defer cancel()
	if conn, err := way.place.DialContext(ctx, "tcp", "11.22.33.11:443"); err == nil {
		_ = conn.Close()
		t.Error("the chat server reaches the outside without its gateway")
	}
}

func recipientName(host string) string { return ownPrefix + host[:len(host)-len(".example")] }

func recipientAt(host string) *v1alpha1.SubProcessor {
	return &v1alpha1.SubProcessor{
		ObjectMeta: metav1.ObjectMeta{Name: recipientName(host)},
		Spec: v1alpha1.SubProcessorSpec{
			LegalName: "End-to-end test", Address: "1 Example Street, Berlin", Contact: "privacy@e2e.example", Purpose: "Tests",
			DataCategories: []v1alpha1.DataCategory{"Aggregate"}, Locations: []v1alpha1.Jurisdiction{"DE"},
			Transfer:  v1alpha1.Transfer{Ground: v1alpha1.TransferNone},
			Endpoints: []v1alpha1.RecipientEndpoint{{Host: host, Port: 443}},
			NoticedAt: "2026-01-01", EffectiveFrom: "2026-01-02",
		},
	}
}

func using(hosts ...string) *v1alpha1.SubProcessorPolicy {
	policy := &v1alpha1.SubProcessorPolicy{Approval: v1alpha1.ApprovalAfterNotice, NoticeDays: new(int32(0))}
	for _, host := range hosts {
		policy.Use = append(policy.Use, v1alpha1.SubProcessorUse{Name: recipientName(host)})
	}
	return policy
}

func (w *exit) mustRefuse(t *testing.T, host string, reason egressconfig.Reason) {
	t.Helper()
	eventually(t, closingTime, host+" to be refused", func(context.Context) error {
		// Often enough to have asked each gateway.
		for range 8 {
			if got := w.asked(t, net.JoinHostPort(host, "443")); got != string(reason) {
				return fmt.Errorf("answered %q", got)
			}
		}
		return nil
	})
}

// held is a connection to a recipient, through the gateway.
type held struct{ *tls.Conn }

func (w *exit) hold(t *testing.T, host string) held {
	t.Helper()
	var conn *tls.Conn
	// Of two gateways one may not know yet.
	eventually(t, patience, host+" to be reached", func(context.Context) (err error) {
		conn, err = w.through(t, host, host)
		return err
	})
	t.Cleanup(func() { _ = conn.Close() })
	return held{conn}
}

// mustBeCut waits until the connection ends, and says how long it took.
func (h held) mustBeCut(t *testing.T, why string) {
	t.Helper()
	start := time.Now()
	if err := h.SetReadDeadline(start.Add(closingTime)); err != nil {
		t.Fatal(err)
	}
	_, err := h.Read(make([]byte, 1))
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("%s: the live connection was not cut within %s: %v", why, closingTime, err)
	}
	t.Logf("%s: cut after %s", why, time.Since(start).Round(time.Millisecond))
}

// denial is the gateway's reason in an answer, or what it answered instead.
func denial(answer *http.Response) string {
	if answer.StatusCode == http.StatusOK {
		return "open"
	}
	return answer.Header.Get(egressconfig.DeniedHeader)
}

// egressHost is the name of a tenant's gateway, as its certificate has it.
func egressHost(tenant string) string { return naming.ServiceHost(tenant, naming.Egress) }
