// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// held is a clock that stands still until it is released, and then runs as fast as the machine's.
type held struct {
	mu sync.Mutex
	at time.Time
	// released is when, zero before.
	released time.Time
}

// shortlyBefore is a clock that stands a moment before a day begins: whatever is to be seen before that can take its
// time.
func shortlyBefore(day time.Time) *held { return &held{at: day.Add(-2 * time.Second)} }

func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = time.Now()
}

// set lets a clock that stands still show another time.
func (h *held) set(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = now
}

// Now implements clock.PassiveClock.
func (h *held) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released.IsZero() {
		return h.at
	}
	return h.at.Add(time.Since(h.released))
}

// Since implements clock.PassiveClock.
func (h *held) Since(t time.Time) time.Duration { return h.Now().Sub(t) }

func unchanged(next http.RoundTripper) http.RoundTripper { return next }

// recipient is one that was noticed and begins on these days.
func recipient(
	name string, noticed, effective v1alpha1.Date, locations ...v1alpha1.Jurisdiction,
) *v1alpha1.SubProcessor {
	return &v1alpha1.SubProcessor{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.SubProcessorSpec{
		LegalName: name, Address: "1 Example Street", Contact: "privacy@example.test", Purpose: "Tests",
		DataCategories: []v1alpha1.DataCategory{"AccountEmail"}, Locations: locations,
		Transfer:  v1alpha1.Transfer{Ground: v1alpha1.TransferNone},
		Endpoints: []v1alpha1.RecipientEndpoint{{Host: name + ".example.test", Port: 465}},
		NoticedAt: noticed, EffectiveFrom: effective,
	}}
}

// sendingTenant uses recipients, without a notice of its own.
func sendingTenant(name string, use ...string) *v1alpha1.ChatTenant {
	tenant := newTenant(name)
	tenant.Spec.ClassName = "sending"
	tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"EU"}}
	tenant.Spec.SubProcessors = &v1alpha1.SubProcessorPolicy{
		Approval: v1alpha1.ApprovalAfterNotice, NoticeDays: new(int32(0)),
	}
	for _, recipient := range use {
		tenant.Spec.SubProcessors.Use = append(tenant.Spec.SubProcessors.Use, v1alpha1.SubProcessorUse{Name: recipient})
	}
	return tenant
}

// sendingPlatform has a class with an image of the egress gateway.
func sendingPlatform(t *testing.T) {
	t.Helper()
	platform(t)
	sending := class("sending", "public")
	sending.Spec.Images.EgressGateway = "gateway:1"
	if err := admin.Create(t.Context(), sending); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, tenant string, by func(*v1alpha1.ChatTenantSpec)) {
	t.Helper()
	live := liveTenant(t, tenant)
	patch := client.MergeFrom(live.DeepCopy())
	by(&live.Spec)
	if err := admin.Patch(t.Context(), live, patch); err != nil {
		t.Fatal(err)
	}
}

func liveTenant(t *testing.T, name string) *v1alpha1.ChatTenant {
	t.Helper()
	live := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, live); err != nil {
		t.Fatal(err)
	}
	return live
}

// wantState waits until the status says what a recipient is.
func wantState(
	t *testing.T, tenant, recipient string, state v1alpha1.RecipientState, reason v1alpha1.RecipientReason,
) v1alpha1.SubProcessorStatus {
	t.Helper()
	var found v1alpha1.SubProcessorStatus
	eventually(t, recipient+" to be "+string(state), func() string {
		for _, r := range liveTenant(t, tenant).Status.SubProcessors {
			if r.Name == recipient && r.State == state && r.Reason == reason {
				found = r
				return ""
			}
		}
		return fmt.Sprintf("%+v\n%s", liveTenant(t, tenant).Status.SubProcessors, story(t, tenant))
	})
	return found
}

// wantOpen waits until a tenant's gateway is told to open these recipients and no others.
func wantOpen(t *testing.T, tenant string, recipients ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v to be open", recipients), func() string {
		files := &corev1.ConfigMap{}
		key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: naming.Egress}
		if err := admin.Get(t.Context(), key, files); err != nil {
			return err.Error() + "\n" + story(t, tenant)
		}
		config, err := egressconfig.Parse([]byte(files.Data["egress.yaml"]))
		if err != nil {
			return err.Error()
		}
		var got []string
		for _, r := range config.Recipients {
			got = append(got, r.Name)
		}
		if fmt.Sprint(got) != fmt.Sprint(recipients) {
			return fmt.Sprintf("open: %v", got)
		}
		return ""
	})
}

// reportGateway stands in for cert-manager, the controllers and kubelet: the gateway's certificates are issued, and a
// pod of it runs.
func reportGateway(t *testing.T, tenant string) {
	t.Helper()
	namespace := naming.Namespace(tenant)
	for _, name := range []string{"egress", "egress-client"} {
		eventually(t, name+" to be issued", func() string { return issue(t, namespace, name) })
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "egress-1", Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelName: naming.Egress, v1alpha1.LabelTenant: tenant,
		}},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "egress", Image: "gateway:1",
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					corev1.ResourceMemory: resource.MustParse("64Mi"), corev1.ResourceCPU: resource.MustParse("10m"),
				}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	if err := admin.Create(t.Context(), pod); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway to run", func() string { return reportDeployment(t, tenant, naming.Egress) })
}

func issue(t *testing.T, namespace, name string) string {
	t.Helper()
	certificate := &cmv1.Certificate{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, certificate); err != nil {
		return err.Error()
	}
	certificate.Status.Conditions = []cmv1.CertificateCondition{{
		Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: certificate.Generation,
		LastTransitionTime: &metav1.Time{Time: certificate.CreationTimestamp.Time}, Reason: "Ready",
	}}
	if err := admin.Status().Update(t.Context(), certificate); err != nil {
		return err.Error()
	}
	return ""
}

func reportDeployment(t *testing.T, tenant, name string) string {
	t.Helper()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: name}
	if err := admin.Get(t.Context(), key, deployment); err != nil {
		return err.Error() + "; the tenant says " + story(t, tenant)
	}
	n := *deployment.Spec.Replicas
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
	}
	if err := admin.Status().Update(t.Context(), deployment); err != nil {
		return err.Error()
	}
	return ""
}

// revisionTold is what the gateway's pod was told last.
func revisionTold(t *testing.T, tenant string) revision {
	t.Helper()
	pod := &corev1.Pod{}
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: "egress-1"}
	if err := admin.Get(t.Context(), key, pod); err != nil {
		t.Fatal(err)
	}
	return parseRevision(pod.Annotations[v1alpha1.AnnotationEgressRevision])
}
