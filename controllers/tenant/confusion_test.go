// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// These tests run without admission, which would refuse what they do. They show what the operator does by itself.

// planted makes a tenant whose namespace holds these objects before the operator comes to it.
func planted(t *testing.T, name string, objects ...client.Object) {
	t.Helper()
	platform(t)
	tenant := newTenant(name)
	tenant.Spec.Reconciliation = v1alpha1.ReconciliationPaused
	create(t, tenant)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        naming.Namespace(name),
		Labels:      map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelTenant: name},
		Annotations: map[string]string{v1alpha1.AnnotationTenantUID: string(tenant.UID)},
	}})
	for _, o := range objects {
		o.SetNamespace(naming.Namespace(name))
		create(t, o)
	}
	change(t, name, func(s *v1alpha1.ChatTenantSpec) { s.Reconciliation = v1alpha1.ReconciliationActive })
}

func plantedSecret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"key": []byte("known")}}
}

// wantFalse waits until a condition is False for a reason, with a message that names something.
func wantFalse(t *testing.T, tenant, condition, reason, names string) {
	t.Helper()
	eventually(t, tenant+" "+condition+" "+reason, func() string {
		c := meta.FindStatusCondition(liveTenant(t, tenant).Status.Conditions, condition)
		if c == nil || c.Status != metav1.ConditionFalse || c.Reason != reason || !strings.Contains(c.Message, names) {
			return story(t, tenant)
		}
		return ""
	})
}

func TestASecretThatWasThereBeforeIsNotAdopted(t *testing.T) {
	startOperator(t)
	for _, tc := range []struct {
		secret, condition string
		after             string
	}{
		{"key-encryption-key", v1alpha1.ConditionEncryptionReady, v1alpha1.ReasonKeyCreated},
		{"internal-ca", v1alpha1.ConditionCertificatesReady, v1alpha1.ReasonCertificatesPending},
		{"endpoint", v1alpha1.ConditionCertificatesReady, v1alpha1.ReasonCertificatesPending},
	} {
		t.Run(tc.secret, func(t *testing.T) {
			tenant, secret := "before-"+tc.secret, plantedSecret(tc.secret)
			planted(t, tenant, secret)
			wantFalse(t, tenant, tc.condition, v1alpha1.ReasonObjectNotOurs, tc.secret)
			wantStalled(t, tenant, v1alpha1.ReasonObjectNotOurs)
			live := &corev1.Secret{}
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), live); err != nil {
				t.Fatal(err)
			}
			if live.ResourceVersion != secret.ResourceVersion {
				t.Error("the foreign Secret was changed")
			}
			mustNotExist(t, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{
				Namespace: naming.Namespace(tenant), Name: naming.Postgres}})
			if err := admin.Delete(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			wantReason(t, tenant, tc.condition, tc.after)
		})
	}
}

// wantReason waits until a condition has a reason, whatever its status.
func wantReason(t *testing.T, tenant, condition, reason string) {
	t.Helper()
	// Nobody watches Secrets, so the operator looks again when it retries: any change of the tenant makes it.
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.DisplayName += " again" })
	eventually(t, tenant+" "+condition+" "+reason, func() string {
		c := meta.FindStatusCondition(liveTenant(t, tenant).Status.Conditions, condition)
		if c == nil || c.Reason != reason {
			return story(t, tenant)
		}
		return ""
	})
}

// TestAKeyThatTheOperatorAnnouncedIsItsOwn: killed between making a key and saying so, it finds it again.
func TestAKeyThatTheOperatorAnnouncedIsItsOwn(t *testing.T) {
	startOperator(t)
	platform(t)
	tenant := newTenant("announced")
	tenant.Spec.Reconciliation = v1alpha1.ReconciliationPaused
	create(t, tenant)
	base := client.MergeFrom(tenant.DeepCopy())
	tenant.Status.AnnouncedKeyGeneration = 1
	if err := admin.Status().Patch(t.Context(), tenant, base); err != nil {
		t.Fatal(err)
	}
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        naming.Namespace("announced"),
		Annotations: map[string]string{v1alpha1.AnnotationTenantUID: string(tenant.UID)},
	}})
	key := plantedSecret("key-encryption-key")
	key.Namespace = naming.Namespace("announced")
	create(t, key)
	change(t, "announced", func(s *v1alpha1.ChatTenantSpec) { s.Reconciliation = v1alpha1.ReconciliationActive })
	wantCondition(t, "announced", v1alpha1.ConditionEncryptionReady, v1alpha1.ReasonKeyCreated)
	eventually(t, "the announcement to be taken back", func() string {
		if liveTenant(t, "announced").Status.AnnouncedKeyGeneration != 0 {
			return "still there"
		}
		return ""
	})
}

func TestAVolumeClaimThatWasThereBeforeIsNotAdopted(t *testing.T) {
	startOperator(t)
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data-postgres-0"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, VolumeName: "volume-of-another",
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	planted(t, "claimed", claim)
	reportCertificates(t, "claimed")
	wantFalse(t, "claimed", v1alpha1.ConditionDatabaseReady, v1alpha1.ReasonObjectNotOurs, "data-postgres-0")
	mustNotExist(t, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace("claimed"), Name: naming.Postgres}})
}

// TestWhatWasMadeUnderOurNamesIsWrittenOver compares a tenant whose namespace was prepared by somebody else with one
// that was left alone.
func TestWhatWasMadeUnderOurNamesIsWrittenOver(t *testing.T) {
	startOperator(t)
	platform(t)
	create(t, newTenant("pristine"))
	report(t, "pristine")
	wantCondition(t, "pristine", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	planted(t, "prepared", preparations("prepared")...)
	eventually(t, "the same objects as without them", func() string {
		// What was written over has to be reported anew.
		report(t, "prepared")
		if !meta.IsStatusConditionTrue(liveTenant(t, "prepared").Status.Conditions, v1alpha1.ConditionReady) {
			return story(t, "prepared")
		}
		return sameObjects(t, "pristine", "prepared")
	})
}

// preparations are objects under the operator's names, each with something that a tenant must not have.
func preparations(tenant string) []client.Object {
	selector := map[string]string{v1alpha1.LabelName: naming.ChatServer, v1alpha1.LabelTenant: tenant}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: named(naming.ChatServer), AutomountServiceAccountToken: new(true),
			Secrets: []corev1.ObjectReference{{Name: "token"}}},
		&rbacv1.RoleBinding{ObjectMeta: named("chattenant-operator"),
			RoleRef: rbacv1.RoleRef{
				APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "chattenant-tenant"},
			Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "mallory"}}},
		&networkingv1.NetworkPolicy{ObjectMeta: named("default-deny"),
			Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}},
		&corev1.ConfigMap{ObjectMeta: named(naming.ChatServer), Data: map[string]string{"extra": "yes"}},
		&corev1.Service{ObjectMeta: named(naming.ChatServer), Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Name: "other", Port: 80}}, ExternalIPs: []string{"192.0.2.1"},
			Selector: map[string]string{"app": "another"}}},
		&appsv1.Deployment{ObjectMeta: named(naming.ChatServer), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector}, Spec: corev1.PodSpec{
				HostNetwork: true, Containers: []corev1.Container{{Name: "mine", Image: "mine"}}}},
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: new(intstr.FromInt32(1))}}}},
	}
}

// sameObjects says where two tenants' namespaces differ in what the operator makes.
func sameObjects(t *testing.T, clean, other string) string {
	t.Helper()
	for _, kind := range []client.ObjectList{
		&corev1.ServiceAccountList{}, &rbacv1.RoleBindingList{}, &networkingv1.NetworkPolicyList{}, &corev1.ConfigMapList{},
		&corev1.ServiceList{}, &appsv1.DeploymentList{},
	} {
		want, got := contents(t, clean, kind), contents(t, other, kind)
		got = strings.ReplaceAll(got, other, clean)
		if diff := cmp.Diff(want, got); diff != "" {
			return diff
		}
	}
	return ""
}
