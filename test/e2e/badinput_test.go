// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		t.Errorf("the operator crashed: %d restarts, now %d", restarts, now)
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
			name: "host that is taken", tenant: atHost(tenantOf("no-host", demoClass, "eu-central"), "acme.localhost"),
			reason: v1alpha1.ReasonHostTaken, advice: []string{`"acme.localhost"`, `"acme"`, "Choose another"},
			mend: func(t *testing.T, tenant *v1alpha1.ChatTenant) {
				changeTenant(t, tenant.Name, func(tenant *v1alpha1.ChatTenant) { atHost(tenant, tenant.Name+".localhost") })
			},
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
			mend:   func(t *testing.T, _ *v1alpha1.ChatTenant) { makeIssuer(t, "e2e-unborn-issuer", "chattenant-demo-ca") },
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
	status := getTenant(t, c.tenant.Name).Status
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled) {
		t.Error("Stalled is not True, though a human has to act")
	}
	if c.condition != "" && !meta.IsStatusConditionFalse(status.Conditions, c.condition) {
		t.Errorf("%s is not False", c.condition)
	}
}

// leftAlone counts what the operator asks for while it waits for the human.
func (c *trouble) leftAlone(t *testing.T) {
	t.Helper()
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

func atHost(tenant *v1alpha1.ChatTenant, host string) *v1alpha1.ChatTenant {
	tenant.Spec.Endpoint.Host = host
	return tenant
}

// emptyRegionLabel is on no node until a test puts it there.
const emptyRegionLabel = "node-restriction.kubernetes.io/e2e-region"

// makeClass makes a class like the demo's, with one chat server and an issuer of its own.
func makeClass(t *testing.T, name, issuer string) {
	t.Helper()
	standard := &v1alpha1.ChatTenantClass{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: demoClass}, standard); err != nil {
		t.Fatal(err)
	}
	class := &v1alpha1.ChatTenantClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *standard.Spec.DeepCopy()}
	class.Spec.IssuerRef.Name = issuer
	class.Spec.ChatServer.Replicas = 1
	temporarily(t, class)
}

// makeRegion makes a region on eu-central's disks.
func makeRegion(t *testing.T, name, label string, value v1alpha1.LabelValue) {
	t.Helper()
	temporarily(t, &v1alpha1.DataRegion{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{v1alpha1.AnnotationConfirmDeletion: name},
		},
		Spec: v1alpha1.DataRegionSpec{
			DisplayName: "End-to-end test", Jurisdiction: "DE", StorageClassName: "local-eu-central",
			NodeSelector: map[string]v1alpha1.LabelValue{label: value},
		},
	})
}

// labelNode takes one of eu-central's nodes into another region as well.
func labelNode(t *testing.T, label, value string) {
	t.Helper()
	node := &corev1.Node{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: nodesIn(t, "eu-central")[0]}, node); err != nil {
		t.Fatal(err)
	}
	labelled := node.DeepCopy()
	labelled.Labels[label] = value
	if err := live.Patch(t.Context(), labelled, client.MergeFrom(node)); err != nil {
		t.Fatalf("label node %s: %v", node.Name, err)
	}
	t.Cleanup(func() {
		restored := labelled.DeepCopy()
		delete(restored.Labels, label)
		if err := live.Patch(context.Background(), restored, client.MergeFrom(labelled)); err != nil {
			t.Errorf("take label off node %s: %v", node.Name, err)
		}
	})
}

// squat makes a namespace under the tenant's name, with something in it.
func squat(t *testing.T, tenant *v1alpha1.ChatTenant) {
	t.Helper()
	namespace := naming.Namespace(tenant.Name)
	temporarily(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	temporarily(t, &corev1.ConfigMap{ObjectMeta: object(namespace, "mine")})
}

// leave removes a squatter's namespace, after a look at whether the operator has left it untouched.
func leave(t *testing.T, namespace string) {
	t.Helper()
	err := live.holdsOnly(t.Context(), namespace, map[string]bool{
		"ConfigMap/" + ownPrefix + "mine": true, "ConfigMap/kube-root-ca.crt": true, "ServiceAccount/default": true,
	})
	if err != nil {
		t.Errorf("the namespace was not left untouched: %v", err)
	}
	found := &corev1.Namespace{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: namespace}, found); err != nil {
		t.Fatal(err)
	}
	if len(found.Labels) > 1 || len(found.Annotations) > 0 {
		t.Errorf("somebody wrote on the namespace: %v %v", found.Labels, found.Annotations)
	}
	if err := live.Delete(t.Context(), found); err != nil {
		t.Fatalf("remove namespace %s: %v", namespace, err)
	}
}

// makeIssuer makes an issuer that signs with the authority in a Secret, once there is one.
func makeIssuer(t *testing.T, name, authority string) {
	t.Helper()
	temporarily(t, &cmv1.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{CA: &cmv1.CAIssuer{SecretName: authority}}},
	})
}

// giveIssuerItsKey puts a copy of the demo's authority where the issuer looks for its own.
func giveIssuerItsKey(t *testing.T, issuer string) {
	t.Helper()
	found := &cmv1.ClusterIssuer{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: issuer}, found); err != nil {
		t.Fatal(err)
	}
	original := secret(t, issuersNamespace, "chattenant-demo-ca")
	temporarily(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: issuersNamespace, Name: found.Spec.CA.SecretName},
		Type:       original.Type, Data: original.Data,
	})
}
