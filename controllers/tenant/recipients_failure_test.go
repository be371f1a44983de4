// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// TestAnObjectionDoesNotWaitForAClassThatIsGone: what keeps the operator from working on a tenant keeps nothing open.
func TestAnObjectionDoesNotWaitForAClassThatIsGone(t *testing.T) {
	const tenant, mail = "stranded", "mail-of-stranded"
	sendingPlatform(t)
	startOperator(t)
	gone := class("leaving", "public")
	gone.Spec.Images.EgressGateway = "gateway:1"
	create(t, gone)
	create(t, recipient(mail, "2026-01-01", "2026-01-01", "DE"))
	using := sendingTenant(tenant, mail)
	using.Spec.ClassName = gone.Name
	create(t, using)
	wantOpenAfterReports(t, tenant, mail)
	before := revisionTold(t, tenant)

	if err := admin.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	wantStalled(t, tenant, v1alpha1.ReasonClassNotFound)
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: mail}}
	})
	wantOpen(t, tenant)
	eventually(t, "the gateway to be told", func() string {
		if revisionTold(t, tenant).config == before.config {
			return "not yet"
		}
		return ""
	})
}

// TestAnObjectionDoesNotWaitForGuardrails: while an object before it cannot be written, no later phase is run.
func TestAnObjectionDoesNotWaitForGuardrails(t *testing.T) {
	const tenant, mail = "hampered", "mail-of-hampered"
	sendingPlatform(t)
	var armed, failed atomic.Bool
	startOperatorWith(t, func(next http.RoundTripper) http.RoundTripper {
		return failAlways{next, func(r *http.Request) bool {
			return armed.Load() && r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/resourcequotas/")
		}, &failed}
	})
	opened(t, tenant, mail)
	armed.Store(true)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: "tenant"}}
	if err := admin.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: mail}}
	})
	wantOpen(t, tenant)
	if !failed.Load() {
		t.Error("no write was lost, so this shows nothing")
	}
}

// failAlways loses every request that matches before it reaches the server.
type failAlways failOnce

func (f failAlways) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.matches(r) {
		f.failed.Store(true)
		return nil, errors.New("lost on purpose")
	}
	return f.next.RoundTrip(r)
}

// TestAPodThatWasReplacedIsNotTold: what the operator saw of a pod is said to that pod alone.
func TestAPodThatWasReplacedIsNotTold(t *testing.T) {
	namespace := "replaced-pods"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "egress-1"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "egress", Image: "gateway:1"}}},
	}
	create(t, pod)
	applier := &apply.Applier{Reader: admin, Writer: admin}
	if err := applier.AnnotatePod(t.Context(), pod, v1alpha1.AnnotationEgressRevision, "a.1.1"); err != nil {
		t.Fatal(err)
	}
	before := pod.DeepCopy()
	before.UID = "0a000000-0000-4000-8000-000000000000"
	if err := applier.AnnotatePod(t.Context(), before, v1alpha1.AnnotationEgressRevision, "b.1.1"); err != nil {
		t.Errorf("telling a pod that was replaced: %v", err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
		t.Fatal(err)
	}
	if got := pod.Annotations[v1alpha1.AnnotationEgressRevision]; got != "a.1.1" {
		t.Errorf("it was told %q", got)
	}
	before.Name = "egress-2"
	if err := applier.AnnotatePod(t.Context(), before, v1alpha1.AnnotationEgressRevision, "b.1.1"); err != nil {
		t.Errorf("telling a pod that is gone: %v", err)
	}
}
