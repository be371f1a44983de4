// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// platform makes what a platform team provides: an issuer, a class and a region.
func platform(t *testing.T) {
	t.Helper()
	for _, o := range []client.Object{
		&cmv1.ClusterIssuer{
			ObjectMeta: metav1.ObjectMeta{Name: "public"},
			Spec:       cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{SelfSigned: &cmv1.SelfSignedIssuer{}}},
		},
		class("standard", "public"),
		dataRegion("eu-central", "DE"),
	} {
		if err := admin.Create(t.Context(), o); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
}

func class(name, issuer string) *v1alpha1.ChatTenantClass {
	return &v1alpha1.ChatTenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ChatTenantClassSpec{
			IssuerRef:  v1alpha1.IssuerReference{Kind: v1alpha1.IssuerKindCluster, Name: issuer},
			Images:     v1alpha1.Images{ChatServer: "chatserver:1", Postgres: "postgres:1"},
			Database:   v1alpha1.ClassDatabase{Engine: v1alpha1.EngineStandalone, StorageSize: resource.MustParse("1Gi")},
			ChatServer: v1alpha1.ClassChatServer{Replicas: 2},
		},
	}
}

func dataRegion(name string, country v1alpha1.Jurisdiction) *v1alpha1.DataRegion {
	return &v1alpha1.DataRegion{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.DataRegionSpec{
			DisplayName: name, Jurisdiction: country, StorageClassName: "local-" + name,
			NodeSelector: map[string]v1alpha1.LabelValue{"node-restriction.kubernetes.io/region": v1alpha1.LabelValue(name)},
		},
	}
}

func newTenant(name string) *v1alpha1.ChatTenant {
	return &v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ChatTenantSpec{
			ClassName: "standard", DisplayName: name, Region: "eu-central",
			Endpoint: v1alpha1.Endpoint{
				Host: name + ".example.test", AllowedOrigins: []v1alpha1.Origin{"https://www.example.test"},
			},
			Privacy: v1alpha1.Privacy{PolicyURL: "https://www.example.test/privacy"},
		},
	}
}

// report stands in for cert-manager, the workload controllers, scheduler and kubelet: it reports everything of a
// tenant's namespace as issued and running.
func report(t *testing.T, tenant string) {
	t.Helper()
	namespace := client.InNamespace(naming.Namespace(tenant))
	eventually(t, "certificates to be asked for", func() string {
		certificates := &cmv1.CertificateList{}
		if err := admin.List(t.Context(), certificates, namespace); err != nil || len(certificates.Items) < 4 {
			return fmt.Sprintf("%d certificates, error %v", len(certificates.Items), err)
		}
		for i := range certificates.Items {
			c := &certificates.Items[i]
			c.Status.Conditions = []cmv1.CertificateCondition{{
				Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: c.Generation,
				LastTransitionTime: &metav1.Time{Time: c.CreationTimestamp.Time}, Reason: "Ready",
			}}
			if err := admin.Status().Update(t.Context(), c); err != nil {
				return err.Error()
			}
		}
		return ""
	})
	eventually(t, "the database to run", func() string { return reportDatabase(t, tenant) })
	eventually(t, "the chat server to run", func() string { return reportChatServer(t, tenant) })
}

func reportDatabase(t *testing.T, tenant string) string {
	t.Helper()
	set := &appsv1.StatefulSet{}
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: naming.Postgres}
	if err := admin.Get(t.Context(), key, set); err != nil {
		return err.Error()
	}
	set.Status = appsv1.StatefulSetStatus{
		ObservedGeneration: set.Generation, Replicas: 1, ReadyReplicas: 1, CurrentRevision: "r", UpdateRevision: "r",
	}
	if err := admin.Status().Update(t.Context(), set); err != nil {
		return err.Error()
	}
	return ""
}

func reportChatServer(t *testing.T, tenant string) string {
	t.Helper()
	return reportDeployment(t, tenant, naming.ChatServer)
}

// story is what a tenant's conditions say, for messages of failed tests.
func story(t *testing.T, tenant string) string {
	t.Helper()
	got := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: tenant}, got); err != nil {
		return err.Error()
	}
	var lines []string
	for _, c := range got.Status.Conditions {
		lines = append(lines, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(lines, "\n")
}

// wantCondition waits until a condition of a tenant is true for a reason.
func wantCondition(t *testing.T, tenant, condition, reason string) *metav1.Condition {
	t.Helper()
	var found *metav1.Condition
	eventually(t, tenant+" "+condition, func() string {
		got := &v1alpha1.ChatTenant{}
		if err := admin.Get(t.Context(), client.ObjectKey{Name: tenant}, got); err != nil {
			return err.Error()
		}
		found = meta.FindStatusCondition(got.Status.Conditions, condition)
		if found == nil || found.Status != metav1.ConditionTrue || found.Reason != reason {
			return fmt.Sprintf("want True %s, got\n%s", reason, story(t, tenant))
		}
		return ""
	})
	return found
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// touchClass is reason for a pass over every tenant of the class, and for nothing that one would write.
func touchClass(t *testing.T) {
	t.Helper()
	touched := class("standard", "public")
	before := client.MergeFrom(touched.DeepCopy())
	touched.Annotations = map[string]string{"example.test/touched": time.Now().String()}
	if err := admin.Patch(t.Context(), touched, before); err != nil {
		t.Fatal(err)
	}
}

func TestTenantBecomesReadyAndThenNothingIsWritten(t *testing.T) {
	platform(t)
	writes, stop := startOperator(t)
	create(t, newTenant("calm"))
	report(t, "calm")
	wantCondition(t, "calm", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	if len(settled(t, writes, "calm")) == 0 {
		t.Fatal("the counter counted nothing, so it cannot show rest")
	}

	before, passes := len(settled(t, writes, "calm")), passesOver("calm")
	touchClass(t)
	wantPass(t, "calm", passes)
	if extra := settled(t, writes, "calm")[before:]; len(extra) != 0 {
		t.Errorf("a second pass wrote %v", extra)
	}

	stop()
	passes = passesOver("calm")
	writes, _ = startOperator(t)
	wantPass(t, "calm", passes)
	if got := settled(t, writes, "calm"); len(got) != 0 {
		t.Errorf("a restarted operator wrote %v", got)
	}
}
