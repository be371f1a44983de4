// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/auditlog"
)

// stillFor is how long the operator must leave alone what only a human can mend.
const stillFor = 10 * time.Second

// trouble is a mistake that a user can make, and how it is mended.
type trouble struct {
	name string
	// tenant is what is declared.
	tenant *v1alpha1.ChatTenant
	// cause makes the cluster such that the declaration cannot come true; nil if it is so anyway.
	cause func(t *testing.T, tenant *v1alpha1.ChatTenant)
	// condition names where the trouble shows besides Ready, empty if nothing was begun.
	condition string
	reason    string
	// advice is what the message must mention: what is wrong, and what to do.
	advice []string
	mend   func(t *testing.T, tenant *v1alpha1.ChatTenant)
}

func TestBadInputEndsInAConditionThatSaysWhatToDoAndMendsItself(t *testing.T) {
	restarts := operatorRestarts(operatorPods(t))
	t.Run("trouble", func(t *testing.T) {
		for _, c := range troubles() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.check(t)
			})
		}
	})
	if now := operatorRestarts(operatorPods(t)); now != restarts {
		words := lastWords(t)
		// A machine that stands still for ten seconds costs the operator its lease, and it begins anew.
		if !strings.Contains(words, "leader election lost") {
			t.Errorf("the operator crashed: %d restarts, now %d:\n%s", restarts, now, words)
		}
	}
}

func troubles() []trouble {
	return []trouble{
		{
			name: "unknown class", tenant: tenantOf("no-class", "e2e-unborn", "eu-central"),
			reason: v1alpha1.ReasonClassNotFound, advice: []string{`"e2e-unborn"`, "Create it", "kubectl get"},
			mend: func(t *testing.T, tenant *v1alpha1.ChatTenant) { makeClass(t, tenant.Spec.ClassName, demoIssuer) },
		},
		{
			name: "unknown region", tenant: tenantOf("no-region", demoClass, "e2e-atlantis"),
			reason: v1alpha1.ReasonRegionNotFound, advice: []string{`"e2e-atlantis"`, "Create it", "kubectl get"},
			mend: func(t *testing.T, tenant *v1alpha1.ChatTenant) {
				makeRegion(t, tenant.Spec.Region, regionLabel, "eu-central")
			},
		},
		{
			name: "region without nodes", tenant: tenantOf("no-nodes", demoClass, "e2e-empty"),
			cause: func(t *testing.T, tenant *v1alpha1.ChatTenant) {
				makeRegion(t, tenant.Spec.Region, emptyRegionLabel, "e2e-empty")
			},
			condition: v1alpha1.ConditionDatabaseReady, reason: v1alpha1.ReasonUnschedulable,
			advice: []string{`"e2e-empty"`, "Add nodes labelled " + emptyRegionLabel + "=e2e-empty"},
			mend:   func(t *testing.T, _ *v1alpha1.ChatTenant) { labelNode(t, emptyRegionLabel, "e2e-empty") },
		},
		{
			name: "namespace of somebody else's", tenant: tenantOf("no-namespace", demoClass, "eu-central"),
			cause:  squat,
			reason: v1alpha1.ReasonNamespaceNotOurs, advice: []string{`"chat-e2e-no-namespace"`, "left untouched", "Remove it"},
			mend: func(t *testing.T, tenant *v1alpha1.ChatTenant) { leave(t, naming.Namespace(tenant.Name)) },
		},
		{
			name: "issuer that does not exist", tenant: tenantOf("no-issuer", "e2e-no-issuer", "eu-central"),
			cause: func(t *testing.T, tenant *v1alpha1.ChatTenant) {
				makeClass(t, tenant.Spec.ClassName, "e2e-unborn-issuer")
			},
			condition: v1alpha1.ConditionCertificatesReady, reason: v1alpha1.ReasonCertificatesFailed,
			advice: []string{`"e2e-unborn-issuer"`, "Create it", "spec.issuerRef"},
			mend:   func(t *testing.T, _ *v1alpha1.ChatTenant) { makeIssuer(t, "e2e-unborn-issuer", demoAuthoritySecret) },
		},
		{
			name: "issuer that never issues", tenant: tenantOf("mute-issuer", "e2e-mute-issuer", "eu-central"),
			cause: func(t *testing.T, tenant *v1alpha1.ChatTenant) {
				makeIssuer(t, "e2e-mute", "e2e-no-such-secret")
				makeClass(t, tenant.Spec.ClassName, "e2e-mute")
			},
			condition: v1alpha1.ConditionCertificatesReady, reason: v1alpha1.ReasonCertificatesFailed,
			advice: []string{`"e2e-mute"`, "not ready", "kubectl describe clusterissuer e2e-mute"},
			mend:   func(t *testing.T, _ *v1alpha1.ChatTenant) { giveIssuerItsKey(t, "e2e-mute") },
		},
	}
}

func (c *trouble) check(t *testing.T) {
	if c.cause != nil {
		c.cause(t, c.tenant)
	}
	create(t, c.tenant)
	c.told(t)
	c.leftAlone(t)
	c.mend(t, c.tenant)
	awaitReady(t, c.tenant.Name)
}

// told waits for the condition and reads its message as a user would.
func (c *trouble) told(t *testing.T) {
	t.Helper()
	ready := awaitCondition(t, c.tenant.Name, v1alpha1.ConditionReady, metav1.ConditionFalse, c.reason)
	t.Logf("%s: %s", ready.Reason, ready.Message)
	if !containsAll(ready.Message, c.advice...) {
		t.Errorf("the message does not say %q: %s", c.advice, ready.Message)
	}
	// The same pass has written all of it, and nothing changes it but the mending.
	status := getTenant(t, c.tenant.Name).Status
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled) {
		t.Error("Stalled is not True, though a human has to act")
	}
	if c.condition != "" && !meta.IsStatusConditionFalse(status.Conditions, c.condition) {
		t.Errorf("%s is not False", c.condition)
	}
}

// passing are reasons of conditions that change by themselves, also of a tenant that waits for a human elsewhere.
var passing = []string{
	v1alpha1.ReasonProgressing, v1alpha1.ReasonCertificatesPending, v1alpha1.ReasonKeyAnnounced,
}

// leftAlone counts what the operator asks for while it waits for the human.
func (c *trouble) leftAlone(t *testing.T) {
	t.Helper()
	eventually(t, startPatience, "what needs no human is done", func(context.Context) error {
		for _, condition := range getTenant(t, c.tenant.Name).Status.Conditions {
			if slices.Contains(passing, condition.Reason) {
				return errors.New(conditionText(&condition))
			}
		}
		return nil
	})
	pause(t, settled)
	mark := markLog(t)
	pause(t, stillFor)
	namespace := naming.Namespace(c.tenant.Name)
	asked, err := mark.Events(operatorUser, auditlog.And(
		auditlog.By(operatorUser), auditlog.About(c.tenant.Name, namespace), func(e *auditlog.Event) bool {
			return e.ObjectRef.Resource != "events"
		}))
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) > 0 {
		t.Errorf("while there was nothing to do the operator asked, in %s:\n%s", stillFor, auditlog.Describe(asked))
	}
}

func tenantOf(name, class, region string) *v1alpha1.ChatTenant {
	tenant := newTenant(name)
	tenant.Spec.ClassName, tenant.Spec.Region = class, region
	return tenant
}
