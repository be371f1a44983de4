// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
)

func TestEveryContainerThatStaysIsProbed(t *testing.T) {
	forEachPod(t, func(t *testing.T, _ Input, pod corev1.PodTemplateSpec) {
		if pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
			return // it does not stay
		}
		for _, c := range pod.Spec.Containers {
			checkProbes(t, c)
		}
	})
}

func checkProbes(t *testing.T, c corev1.Container) {
	t.Helper()
	for name, probe := range map[string]*corev1.Probe{
		"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe,
	} {
		if probe == nil {
			t.Errorf("%s has no %s probe", c.Name, name)
			continue
		}
		if probe.HTTPGet == nil && probe.Exec == nil {
			t.Errorf("%s: %s probe asks nothing", c.Name, name)
		}
		if probe.PeriodSeconds < 1 || probe.FailureThreshold < 1 || probe.TimeoutSeconds < 1 {
			t.Errorf("%s: %s probe leaves its timing to defaults: %+v", c.Name, name, probe)
		}
	}
}

func TestChatServerIsProbedOverTLSOnItsHealthPort(t *testing.T) {
	c := chatServerOf(t, "minimal-eu").Spec.Containers[0]
	for path, probe := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		get := probe.HTTPGet
		if get.Scheme != corev1.URISchemeHTTPS || get.Port.IntValue() != naming.ChatServerHealthPort || get.Path != path {
			t.Errorf("probe asks %s %s %s, want HTTPS %d %s", get.Scheme, get.Port.String(), get.Path,
				naming.ChatServerHealthPort, path)
		}
	}
}

func TestAPodIsGivenLongEnoughToDrain(t *testing.T) {
	for _, s := range everyScenario() {
		if s.in.PostgresAddress == "" || s.name == "retained" {
			continue
		}
		pod := chatServerOf(t, s.name)
		sleep := pod.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds
		drain := int64(serverConfigOf(t, s.name).DrainSeconds)
		if grace := *pod.Spec.TerminationGracePeriodSeconds; grace <= sleep+drain {
			t.Errorf("%s: %d s until the kill, but %d s until the signal and %d s of draining", s.name, grace, sleep, drain)
		}
	}
}
