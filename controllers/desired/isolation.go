// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	batchv1ac "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/isolation"
)

// Annotations of a probe's Job.
const (
	// AnnotationPolicies is the digest of the network policies that a probe was started under.
	AnnotationPolicies = "chattenant.io/policies-digest"
	// AnnotationPlan is the digest of what it tries.
	AnnotationPlan = "chattenant.io/plan-digest"
)

// ProbeContainer is the only container of a probe's pod.
const ProbeContainer = "probe"

const (
	// probeSeconds end a probe that does not come to a verdict, its pod's start and the image's pull included.
	probeSeconds = 180
	// keepProbeSeconds is when Kubernetes clears away a Job that the operator did not: it was not there.
	keepProbeSeconds = 3600
)

// Probe is one role's part of an isolation probe.
type Probe struct {
	Role isolation.End
	// Plan is encoded.
	Plan []byte
	// PoliciesDigest is that of the network policies in the namespace.
	PoliciesDigest string
	// After distinguishes this probe from earlier ones with the same plan.
	After string
}

// ProbeRoles are the roles that a tenant is probed in: those of its pods, and that of a pod without any.
func ProbeRoles(in Input) []isolation.End { return append(in.shape().Roles(), isolation.None) }

// probeName is new for each probe: a Job cannot be changed.
func probeName(p Probe) string {
	sum := hash(map[string]string{"plan": string(p.Plan), "policies": p.PoliciesDigest, "after": p.After})
	return "isolation-" + string(p.Role) + "-" + sum[:10]
}

// IsolationProbe is the Job that tries what is closed to a role's pods. It takes the role's place in the network and
// nothing else of it: no Secret, no volume, and no Service leads to it. What it finds is its termination message.
func IsolationProbe(in Input, p Probe) Object {
	template := corev1ac.PodTemplateSpec().
		WithLabels(roleLabels(in, componentProbe, p.Role)).
		WithSpec(probePod(in, p))
	return own(in, componentProbe, batchv1ac.Job(probeName(p), in.namespace())).
		WithAnnotations(map[string]string{
			AnnotationPolicies: p.PoliciesDigest,
			AnnotationPlan:     isolation.Digest(p.Plan),
		}).
		WithSpec(batchv1ac.JobSpec().
			WithParallelism(1).
			WithCompletions(1).
			// A second try by Kubernetes would be a second verdict; the operator decides when to try again.
			WithBackoffLimit(0).
			WithActiveDeadlineSeconds(probeSeconds).
			WithTTLSecondsAfterFinished(keepProbeSeconds).
			WithTemplate(template))
}

func probePod(in Input, p Probe) *corev1ac.PodSpecApplyConfiguration {
	return podSpec(in, componentProbe, chatServerUser).
		WithRestartPolicy(corev1.RestartPolicyNever).
		WithTerminationGracePeriodSeconds(1).
		WithContainers(container(ProbeContainer, string(in.Class.Spec.Images.ChatServer), probeSizes(in)).
			WithArgs("probe-isolation").
			// An argument would be visible to every process of the node.
			WithEnv(corev1ac.EnvVar().WithName(isolation.PlanVariable).WithValue(string(p.Plan))).
			// A probe that fails says why on its standard error, which never holds anybody's data.
			WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError))
}

// probeSizes have a limit for exactly what the quota limits. None is larger than a chat server's.
func probeSizes(in Input) sizes {
	chat, database := chatServerSizes(in), postgresSizes(in)
	own := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("10m"),
		corev1.ResourceMemory: resource.MustParse("16Mi"),
	}
	limits := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100m"),
		corev1.ResourceMemory: resource.MustParse("64Mi"),
	}
	ceiling := largest(chat.limits, database.limits)
	probe := sizes{requests: own, limits: corev1.ResourceList{}}
	delete(ceiling, corev1.ResourceEphemeralStorage)
	for name, most := range ceiling {
		limit := limits[name]
		if most.Cmp(limit) < 0 {
			limit = most
		}
		probe.limits[name] = limit
		if request := probe.requests[name]; request.Cmp(limit) > 0 {
			probe.requests[name] = limit
		}
	}
	return probe.withScratch()
}

// PoliciesDigest sums up the network policies of a namespace, foreign ones included, given as name, UID and generation.
func PoliciesDigest(policies map[string]string) string { return hash(policies) }
