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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Recipients of the test: servers of the local cluster's outside.
const (
	usedHost      = "crm.example"
	unusedHost    = "mail.example"
	specialHost   = "special.example"
	elsewhereHost = "elsewhere.example"
	laterHost     = "later.example"
	rebindingHost = "answers.example"
)

// closingTime is how soon a recipient that is not effective any more must be cut off.
const closingTime = 10 * time.Second

// TestARecipientIsReachedWhileItIsEffectiveAndNoLonger follows one on the wire: closed until the customer approves it,
// reached afterwards, objected to while connected, accepted again, and removed while connected.
//
// What makes it effective is the approval, because days pass at midnight: that they are heeded is shown elsewhere with
// a clock of the tests' own. A recipient whose day has not come is among the ways round the gateway.
func TestARecipientIsReachedWhileItIsEffectiveAndNoLonger(t *testing.T) {
	temporarily(t, recipientAt(unusedHost, 443))
	withResidents(t, exporterTenant)
	way := wayOut(t, exporter)
	declared := getTenant(t, exporter).Spec.SubProcessors
	t.Cleanup(func() { restoreRecipients(t, declared) })

	way.mustBecomeEffective(t)
	approvals := getTenant(t, exporter).Spec.SubProcessors.Approvals
	live := way.hold(t, unusedHost)
	changeRecipients(t, func(p *v1alpha1.SubProcessorPolicy) {
		p.Approvals = p.Approvals[:len(p.Approvals)-1]
		p.Objections = []v1alpha1.SubProcessorObjection{{Name: recipientName(unusedHost)}}
	})
	live.mustBeCut(t, "objected to")
	way.mustRefuse(t, unusedHost, egressconfig.ReasonNotDeclared)

	changeRecipients(t, func(p *v1alpha1.SubProcessorPolicy) { p.Objections, p.Approvals = nil, approvals })
	live, beside := way.hold(t, unusedHost), way.hold(t, usedHost)
	changeRecipients(t, func(p *v1alpha1.SubProcessorPolicy) { *p = *declared })
	live.mustBeCut(t, "removed")
	way.mustRefuse(t, unusedHost, egressconfig.ReasonNotDeclared)
	beside.mustBeAlive(t, usedHost)
}

// mustBecomeEffective takes a recipient into use that waits for approval, and approves it.
func (w *exit) mustBecomeEffective(t *testing.T) {
	t.Helper()
	r := record(t, sectionRecipients, "used, but not approved yet; then approved")
	changeRecipients(t, func(p *v1alpha1.SubProcessorPolicy) {
		p.Approval = v1alpha1.ApprovalManual
		for _, use := range p.Use {
			p.Approvals = append(p.Approvals, v1alpha1.SubProcessorConsent{Name: use.Name, ApprovedOn: "2026-01-02"})
		}
		p.Use = append(p.Use, v1alpha1.SubProcessorUse{Name: recipientName(unusedHost)})
	})
	eventually(t, patience, "the recipient to wait for approval", func(context.Context) error {
		for _, s := range getTenant(t, exporter).Status.SubProcessors {
			if s.Name == recipientName(unusedHost) && s.Reason == v1alpha1.RecipientApprovalMissing {
				return nil
			}
		}
		return errors.New("the status does not say so")
	})
	w.mustRefuse(t, unusedHost, egressconfig.ReasonNotDeclared)
	r.refused("%s", egressconfig.ReasonNotDeclared)
	start := time.Now()
	changeRecipients(t, func(p *v1alpha1.SubProcessorPolicy) {
		p.Approvals = append(p.Approvals, v1alpha1.SubProcessorConsent{
			Name: recipientName(unusedHost), ApprovedOn: v1alpha1.Date(start.UTC().Format(time.DateOnly)),
		})
	})
	_ = w.hold(t, unusedHost).Close()
	r.opened("%s before, reached %.1f s after the approval", egressconfig.ReasonNotDeclared, time.Since(start).Seconds())
}

// changeRecipients changes what the exporter declares.
func changeRecipients(t *testing.T, change func(*v1alpha1.SubProcessorPolicy)) {
	t.Helper()
	changeTenant(t, exporter, func(tenant *v1alpha1.ChatTenant) {
		policy := tenant.Spec.SubProcessors.DeepCopy()
		change(policy)
		tenant.Spec.SubProcessors = policy
	})
}

// restoreRecipients gives the exporter back what it had, for the tests to come.
func restoreRecipients(t *testing.T, declared *v1alpha1.SubProcessorPolicy) {
	t.Helper()
	err := live.changeTenant(context.Background(), exporter, func(tenant *v1alpha1.ChatTenant) {
		tenant.Spec.SubProcessors = declared
	})
	if err != nil {
		t.Errorf("restore what %s declares: %v", exporter, err)
	}
}

// exports gives a tenant what the tests of the gateway need: a plain recipient, one at a special address, one whose
// names lead elsewhere, and one whose time has not come.
func exports(tenant *v1alpha1.ChatTenant) []client.Object {
	tenant.Spec.SubProcessors = using(usedHost, specialHost, rebindingHost, laterHost)
	rebinding, later := recipientAt(rebindingHost), recipientAt(laterHost, 443)
	for _, name := range rebindingNames() {
		rebinding.Spec.Endpoints = append(rebinding.Spec.Endpoints, v1alpha1.RecipientEndpoint{Host: name, Port: 443})
	}
	later.Spec.EffectiveFrom = "2999-01-01"
	return []client.Object{recipientAt(usedHost, 443), recipientAt(specialHost, 443), rebinding, later}
}

func recipientName(host string) string { return ownPrefix + host[:len(host)-len(".example")] }

func recipientAt(host string, ports ...int32) *v1alpha1.SubProcessor {
	r := &v1alpha1.SubProcessor{
		ObjectMeta: metav1.ObjectMeta{Name: recipientName(host)},
		Spec: v1alpha1.SubProcessorSpec{
			LegalName: "End-to-end test", Address: "1 Example Street, Berlin", Contact: "privacy@e2e.example", Purpose: "Tests",
			DataCategories: []v1alpha1.DataCategory{"Aggregate"}, Locations: []v1alpha1.Jurisdiction{"DE"},
			Transfer:  v1alpha1.Transfer{Ground: v1alpha1.TransferNone},
			NoticedAt: "2026-01-01", EffectiveFrom: "2026-01-02",
		},
	}
	for _, port := range ports {
		r.Spec.Endpoints = append(r.Spec.Endpoints, v1alpha1.RecipientEndpoint{Host: host, Port: port})
	}
	return r
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
	r := record(t, sectionRecipients, why+" while connected")
	start := time.Now()
	if err := h.SetReadDeadline(start.Add(closingTime)); err != nil {
		t.Fatal(err)
	}
	_, err := h.Read(make([]byte, 1))
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		r.otherwise("still open after %s", closingTime)
		t.Errorf("%s: the live connection was not cut within %s: %v", why, closingTime, err)
		return
	}
	r.refused("cut after %.1f s, %s at most", time.Since(start).Seconds(), closingTime)
	t.Logf("%s: cut after %s", why, time.Since(start).Round(time.Millisecond))
}

// mustBeAlive asks the recipient something on the connection: others' ends are none of its business.
func (h held) mustBeAlive(t *testing.T, host string) {
	t.Helper()
	r := record(t, sectionRecipients, "another recipient's connection meanwhile")
	if err := h.SetDeadline(time.Now().Add(openPatience)); err != nil {
		t.Fatal(err)
	}
	told, err := ask(h, host, "/")
	if err != nil {
		r.otherwise("%v", err)
		t.Errorf("the connection to %s was cut too: %v", host, err)
		return
	}
	r.opened("answered by %s", told.Local)
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
