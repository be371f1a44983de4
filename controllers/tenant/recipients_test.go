// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TestARecipientOpensOnItsDayAndClosesOnAnObjection follows one through its whole life.
func TestARecipientOpensOnItsDayAndClosesOnAnObjection(t *testing.T) {
	const tenant, mail = "courier", "mail-of-courier"
	sendingPlatform(t)
	create(t, recipient(mail, "2030-05-01", "2030-05-10", "DE"))
	create(t, sendingTenant(tenant, mail))
	day := time.Date(2030, 5, 10, 0, 0, 0, 0, time.UTC)
	now := shortlyBefore(day)
	startOperatorAt(t, now, unchanged)

	report(t, tenant)
	pending := wantState(t, tenant, mail, v1alpha1.RecipientPending, v1alpha1.RecipientNotYetEffective)
	if pending.ExpectedFrom != "2030-05-10" || pending.Since != nil {
		t.Errorf("before its day: %+v", pending)
	}
	c := wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonNothingReachable)
	if !strings.Contains(c.Message, "2030-05-10 "+mail) {
		t.Errorf("the condition does not announce it: %q", c.Message)
	}
	mustNotExist(t, gatewayOf(tenant))

	// Nothing happens but that the day comes.
	now.release()
	effective := wantState(t, tenant, mail, v1alpha1.RecipientEffective, v1alpha1.RecipientInEffect)
	if effective.Since == nil || effective.Since.Time.Before(day) || len(effective.Endpoints) != 1 {
		t.Errorf("on its day: %+v", effective)
	}
	wantOpen(t, tenant, mail)
	reportGateway(t, tenant)
	report(t, tenant)
	wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonRecipientsEnforced)
	wantCondition(t, tenant, v1alpha1.ConditionChatServerReady, v1alpha1.ReasonChatServerAvailable)
	opened := revisionTold(t, tenant)
	if opened.times != 2 {
		t.Errorf("the gateway was told %d times", opened.times)
	}

	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: mail, Reason: "We have our own"}}
	})
	wantOpen(t, tenant)
	closed := wantState(t, tenant, mail, v1alpha1.RecipientObjected, v1alpha1.RecipientCustomerObjected)
	if closed.Until == nil || !closed.Since.Equal(effective.Since) {
		t.Errorf("after the objection: %+v", closed)
	}
	wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonRecipientsEnforced)
	if told := revisionTold(t, tenant); told.config == opened.config || told.times != 2 {
		t.Errorf("the gateway was told %v, before that %v", told, opened)
	}

	gatewayGoesWithItsLastRecipient(t, tenant, mail)
}

func gatewayGoesWithItsLastRecipient(t *testing.T, tenant, mail string) {
	t.Helper()
	namespace := naming.Namespace(tenant)
	for _, name := range []string{"egress", "egress-client"} {
		create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	}
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.SubProcessors.Use = nil })
	retired := wantState(t, tenant, mail, v1alpha1.RecipientRetired, v1alpha1.RecipientNoLongerUsed)
	if retired.Since == nil || retired.Until == nil || len(retired.Endpoints) != 1 {
		t.Errorf("its record: %+v", retired)
	}
	report(t, tenant)
	wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonNothingReachable)
	eventually(t, "the gateway to go", func() string {
		left := leftovers(t, namespace)
		left = slices.DeleteFunc(left, func(o string) bool { return !strings.Contains(o, "egress") })
		return strings.Join(left, ", ")
	})
}

func gatewayOf(tenant string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: naming.Egress}}
}

// opened is a tenant whose gateway has opened a recipient.
func opened(t *testing.T, tenant, recipientName string) {
	t.Helper()
	create(t, recipient(recipientName, "2026-01-01", "2026-01-01", "DE"))
	create(t, sendingTenant(tenant, recipientName))
	wantOpenAfterReports(t, tenant, recipientName)
}

func wantOpenAfterReports(t *testing.T, tenant, recipientName string) {
	t.Helper()
	eventually(t, "certificates and the database to be there", func() string {
		for _, name := range []string{"internal-ca", "postgres-server", "postgres-client", "endpoint", "egress",
			"egress-client"} {
			if problem := issue(t, naming.Namespace(tenant), name); problem != "" {
				return problem + "\n" + story(t, tenant)
			}
		}
		return reportDatabase(t, tenant)
	})
	wantOpen(t, tenant, recipientName)
	reportGateway(t, tenant)
	eventually(t, "the chat server to run", func() string { return reportChatServer(t, tenant) })
	wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonRecipientsEnforced)
}

func TestATenantWithRecipientsIsAtRestToo(t *testing.T) {
	const tenant, mail = "settled", "mail-of-settled"
	sendingPlatform(t)
	writes, stop := startOperator(t)
	opened(t, tenant, mail)
	if len(settled(t, writes, tenant)) == 0 {
		t.Fatal("the counter counted nothing, so it cannot show rest")
	}
	stop()
	passes := passesOver(tenant)
	writes, _ = startOperator(t)
	wantPass(t, tenant, passes)
	if got := settled(t, writes, tenant); len(got) != 0 {
		t.Errorf("a restarted operator wrote %v", got)
	}
}

func TestARecordThatIsDeletedClosesItsRecipient(t *testing.T) {
	const tenant, mail = "bereft", "mail-of-bereft"
	sendingPlatform(t)
	startOperator(t)
	opened(t, tenant, mail)
	if err := admin.Delete(t.Context(), &v1alpha1.SubProcessor{ObjectMeta: metav1.ObjectMeta{Name: mail}}); err != nil {
		t.Fatal(err)
	}
	wantState(t, tenant, mail, v1alpha1.RecipientRetired, v1alpha1.RecipientRecordMissing)
	// Nothing with endpoints is used any more, so the way out goes as a whole.
	eventually(t, "the gateway to go", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(gatewayOf(tenant)), gatewayOf(tenant)); err == nil {
			return "still there"
		}
		return ""
	})
	wantStalled(t, tenant, v1alpha1.ReasonRecipientNotFound)
	create(t, recipient(mail, "2026-01-01", "2026-01-01", "DE"))
	wantOpen(t, tenant, mail)
}

func TestAnUnknownRecipientStallsUntilItIsRecorded(t *testing.T) {
	const tenant, mail = "hopeful", "mail-of-hopeful"
	sendingPlatform(t)
	startOperator(t)
	create(t, sendingTenant(tenant, mail))
	eventually(t, "the database to run", func() string {
		for _, name := range []string{"internal-ca", "postgres-server", "postgres-client", "endpoint"} {
			if problem := issue(t, naming.Namespace(tenant), name); problem != "" {
				return problem
			}
		}
		return reportDatabase(t, tenant)
	})
	c := wantStalled(t, tenant, v1alpha1.ReasonRecipientNotFound)
	if !strings.Contains(c.Message, mail) {
		t.Errorf("the message is %q", c.Message)
	}
	create(t, recipient(mail, "2026-01-01", "2026-01-01", "DE"))
	wantOpenAfterReports(t, tenant, mail)
}

func TestARecipientOutsideStopsATenantBeforeAnythingIsCreated(t *testing.T) {
	const tenant, mail = "bounded", "mail-of-bounded"
	sendingPlatform(t)
	startOperator(t)
	create(t, recipient(mail, "2026-01-01", "2026-01-01", "DE", "US"))
	create(t, sendingTenant(tenant, mail))
	c := wantStalled(t, tenant, v1alpha1.ReasonResidencyViolated)
	if !strings.Contains(c.Message, mail) {
		t.Errorf("the message is %q", c.Message)
	}
	mustNotExist(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(tenant)}})
}

func TestATenantThatRunsKeepsARecipientOutsideClosed(t *testing.T) {
	const tenant, mail = "narrowed", "mail-of-narrowed"
	sendingPlatform(t)
	startOperator(t)
	opened(t, tenant, mail)
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.Residency.Jurisdictions = []v1alpha1.Jurisdiction{"FR", "DE"} })
	wantOpen(t, tenant, mail)
	create(t, recipient("vault-of-narrowed", "2026-01-01", "2026-01-01", "US"))
	engaged := recipient("archive-of-narrowed", "2026-01-01", "2026-01-01", "US")
	engaged.Spec.Parent = mail
	create(t, engaged)
	wantState(t, tenant, mail, v1alpha1.RecipientPending, v1alpha1.RecipientOutside)
	wantOpen(t, tenant)
	wantStalled(t, tenant, v1alpha1.ReasonRecipientOutside)
}

func TestAClassWithoutTheGatewaysImageStallsWhoNeedsIt(t *testing.T) {
	const tenant, mail = "imageless", "mail-of-imageless"
	sendingPlatform(t)
	startOperator(t)
	create(t, recipient(mail, "2026-01-01", "2026-01-01", "DE"))
	using := sendingTenant(tenant, mail)
	using.Spec.ClassName = "standard"
	create(t, using)
	wantStalled(t, tenant, v1alpha1.ReasonEgressImageMissing)
}

// TestAPausedTenantSaysThatItsGatewayLags: a pause holds an objection up as well, and must not hide it.
func TestAPausedTenantSaysThatItsGatewayLags(t *testing.T) {
	const tenant, mail = "dozing", "mail-of-dozing"
	sendingPlatform(t)
	startOperator(t)
	opened(t, tenant, mail)
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.Reconciliation = v1alpha1.ReconciliationPaused
		s.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: mail}}
	})
	eventually(t, "the condition to turn", func() string {
		c := meta.FindStatusCondition(liveTenant(t, tenant).Status.Conditions, v1alpha1.ConditionSubProcessorsEnforced)
		if c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonPausedBySpec {
			return c.Reason
		}
		return ""
	})
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.Reconciliation = v1alpha1.ReconciliationActive })
	wantOpen(t, tenant)
}

func TestADeletedTenantTakesItsGatewayAlong(t *testing.T) {
	const tenant, mail = "parting", "mail-of-parting"
	sendingPlatform(t)
	startOperator(t)
	opened(t, tenant, mail)
	if err := admin.Delete(t.Context(), liveTenant(t, tenant)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway to be stopped", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(gatewayOf(tenant)), gatewayOf(tenant)); err == nil {
			return "still there"
		}
		return ""
	})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: "egress-1"}}
	if err := admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything to go", func() string { return strings.Join(leftovers(t, naming.Namespace(tenant)), ", ") })
}
