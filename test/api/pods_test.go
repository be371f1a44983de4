// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The system namespace enforces restricted Pod Security, so the API server judges the templates.
func TestOurOwnPodsAreRestricted(t *testing.T) {
	for way, objects := range installations(t) {
		for _, o := range objects {
			if o.GetKind() != "Deployment" {
				continue
			}
			template := into[appsv1.Deployment](t, o).Spec.Template
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: o.GetName(), Namespace: o.GetNamespace()},
				Spec: template.Spec}
			if err := adminClient(t).Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Errorf("%s: %v", way, err)
			}
			for _, c := range template.Spec.Containers {
				wantHygiene(t, way+" "+c.Name, c)
			}
		}
	}
}

func wantHygiene(t *testing.T, name string, c corev1.Container) {
	t.Helper()
	if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
		t.Errorf("%s: the root file system can be written", name)
	}
	if c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() ||
		c.Resources.Limits.Memory().IsZero() {
		t.Errorf("%s: what it needs and may take is not said", name)
	}
	for kind, probe := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Scheme != corev1.URISchemeHTTPS {
			t.Errorf("%s: no %s probe over TLS", name, kind)
		}
	}
}
