// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/probeplan"
)

// probesOf waits for a Job in every role's place and answers them.
func probesOf(t *testing.T, tenant string) []batchv1.Job {
	t.Helper()
	jobs := &batchv1.JobList{}
	eventually(t, "a probe in every role's place", func() string {
		if err := admin.List(t.Context(), jobs, client.InNamespace(naming.Namespace(tenant))); err != nil {
			return err.Error()
		}
		roles := map[string]bool{}
		for i := range jobs.Items {
			if jobs.Items[i].DeletionTimestamp.IsZero() {
				roles[jobs.Items[i].Spec.Template.Labels[v1alpha1.LabelNetworkRole]] = true
			}
		}
		if len(roles) != 3 || len(jobs.Items) != 3 {
			return fmt.Sprintf("%d jobs in %v; the tenant says %s", len(jobs.Items), roles, story(t, tenant))
		}
		return ""
	})
	return jobs.Items
}

// answer is what a probe says of its plan.
type answer func(plan isolation.Plan, digest string) string

// asPlanned says that everything is as it must be, but for the targets at those indexes.
func asPlanned(otherwise ...int) answer {
	return func(plan isolation.Plan, digest string) string {
		v := isolation.Verdict{Version: isolation.Version, Plan: digest, Tried: len(plan.Targets), Otherwise: otherwise}
		for i, target := range plan.Targets {
			open := target.Want == isolation.WantOpen
			for _, j := range otherwise {
				open = open != (i == j)
			}
			if open {
				v.Open++
			} else {
				v.Refused++
			}
		}
		data, err := v.Encode()
		if err != nil {
			panic(err)
		}
		return string(data)
	}
}

// carryOut stands in for the Job controller, the scheduler, the kubelet and the probe itself.
func carryOut(t *testing.T, job *batchv1.Job, say answer) {
	t.Helper()
	endedPod(t, job, say)
	finish(t, job, batchv1.JobComplete, batchv1.JobSuccessCriteriaMet, "")
}

// endedPod is a pod of a Job that ended with an answer.
func endedPod(t *testing.T, job *batchv1.Job, say answer) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-x", Labels: job.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: job.Spec.Template.Spec,
	}
	create(t, pod)
	encoded := planOf(job)
	plan, err := isolation.DecodePlan([]byte(encoded))
	if err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "probe", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Message: say(plan, isolation.Digest([]byte(encoded))),
		}},
	}}
	if err := admin.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, job *batchv1.Job, kind, before batchv1.JobConditionType, reason string) {
	t.Helper()
	now := metav1.Now()
	job.Status.StartTime = ptr.To(job.CreationTimestamp)
	for _, k := range []batchv1.JobConditionType{before, kind} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: k, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: now,
		})
	}
	if kind == batchv1.JobComplete {
		job.Status.CompletionTime, job.Status.Succeeded = &now, 1
	}
	if err := admin.Status().Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
}

func wantIsolation(
	t *testing.T, tenant string, status metav1.ConditionStatus, reason, says string,
) *v1alpha1.ChatTenant {
	t.Helper()
	got := &v1alpha1.ChatTenant{}
	eventually(t, "IsolationVerified to be "+string(status)+" for "+reason, func() string {
		if err := admin.Get(t.Context(), client.ObjectKey{Name: tenant}, got); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionIsolationVerified)
		if c == nil || c.Status != status || c.Reason != reason || !strings.Contains(c.Message, says) {
			return story(t, tenant)
		}
		return ""
	})
	return got
}

// running makes a tenant whose chat server runs, and whose database can be reached.
func running(t *testing.T, tenant string) {
	t.Helper()
	starting(t, tenant)
	readyPod(t, tenant, naming.Postgres, fmt.Sprintf("10.244.10.%d", databases.Add(1)), true)
}

// databases counts the addresses of databases.
var databases atomic.Int32

// starting makes a tenant whose chat server runs, while nobody answers for its database.
func starting(t *testing.T, tenant string) {
	t.Helper()
	crashPlatform(t)
	create(t, newTenant(tenant))
	t.Cleanup(func() { atRest(t, tenant) })
	report(t, tenant)
}

// atRest pauses a tenant: one whose probes fail is probed again, which other tests would count as writes.
func atRest(t *testing.T, tenant string) {
	t.Helper()
	paused := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: tenant}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"reconciliation":"Paused"}}`))
	if err := admin.Patch(context.WithoutCancel(t.Context()), paused, patch); err != nil {
		t.Error(err)
	}
}

func TestATenantIsVerifiedOnceItsProbesFoundItClosed(t *testing.T) {
	writes, _ := startOperator(t)
	running(t, "probed")
	wantIsolation(t, "probed", metav1.ConditionUnknown, v1alpha1.ReasonProbePending, "")
	wantCondition(t, "probed", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	jobs := probesOf(t, "probed")
	tried := 0
	for i := range jobs {
		plan, err := isolation.DecodePlan([]byte(planOf(&jobs[i])))
		if err != nil {
			t.Fatal(err)
		}
		tried += len(plan.Targets)
		carryOut(t, &jobs[i], asPlanned())
	}
	got := wantIsolation(t, "probed", metav1.ConditionTrue, v1alpha1.ReasonIsolated, "")
	status := got.Status.Isolation
	if int(status.Tried) != tried || status.Tried != status.Refused+status.Open || status.LastProbeTime == nil ||
		status.PlanDigest == "" || status.PoliciesDigest == "" || len(status.Holes) != 0 {
		t.Errorf("status = %+v, want %d tries that add up", status, tried)
	}
	eventually(t, "the finished probes to be removed", func() string { return probesLeft(t, "probed") })
	before, passes := len(settled(t, writes, "probed")), passesOver("probed")
	touchClass(t)
	wantPass(t, "probed", passes)
	if more := settled(t, writes, "probed")[before:]; len(more) != 0 {
		t.Errorf("at rest it wrote %v", more)
	}
}

func probesLeft(t *testing.T, tenant string) string {
	t.Helper()
	jobs := &batchv1.JobList{}
	if err := admin.List(t.Context(), jobs, client.InNamespace(naming.Namespace(tenant))); err != nil {
		return err.Error()
	}
	for i := range jobs.Items {
		if jobs.Items[i].DeletionTimestamp.IsZero() {
			return "there is " + jobs.Items[i].Name
		}
	}
	return ""
}

func TestAHoleIsNamedAndStallsTheTenant(t *testing.T) {
	startOperator(t)
	running(t, "holed")
	jobs := probesOf(t, "holed")
	var hole string
	for i := range jobs {
		say := asPlanned()
		if jobs[i].Spec.Template.Labels[v1alpha1.LabelNetworkRole] == naming.Postgres {
			hole, say = firstClosed(t, &jobs[i])
		}
		carryOut(t, &jobs[i], say)
	}
	got := wantIsolation(t, "holed", metav1.ConditionFalse, v1alpha1.ReasonHoleFound, "postgres -> "+hole)
	if len(got.Status.Isolation.Holes) != 1 {
		t.Errorf("holes = %v, want one", got.Status.Isolation.Holes)
	}
	wantStalled(t, "holed", v1alpha1.ReasonHoleFound)
}

// firstClosed answers the first target that must be closed, and a probe that found it open.
func firstClosed(t *testing.T, job *batchv1.Job) (string, answer) {
	t.Helper()
	plan, err := isolation.DecodePlan([]byte(planOf(job)))
	if err != nil {
		t.Fatal(err)
	}
	for i, target := range plan.Targets {
		if target.Want == isolation.WantClosed {
			return target.Address.String(), asPlanned(i)
		}
	}
	t.Fatal("nothing must be closed")
	return "", nil
}

func TestAProbeThatCameToNoVerdictIsNeverTrue(t *testing.T) {
	startOperator(t)
	for name, tc := range map[string]struct {
		run  func(*testing.T, *batchv1.Job)
		says string
	}{
		"deadline": {func(t *testing.T, job *batchv1.Job) {
			t.Helper()
			finish(t, job, batchv1.JobFailed, batchv1.JobFailureTarget, batchv1.JobReasonDeadlineExceeded)
		}, "DeadlineExceeded"},
		"garbage": {func(t *testing.T, job *batchv1.Job) {
			t.Helper()
			carryOut(t, job, func(isolation.Plan, string) string { return "panic: out of memory" })
		}, "read verdict"},
		"another-plan": {func(t *testing.T, job *batchv1.Job) {
			t.Helper()
			carryOut(t, job, func(plan isolation.Plan, _ string) string { return asPlanned()(plan, strings.Repeat("0", 64)) })
		}, "another plan"},
		"no-pod": {func(t *testing.T, job *batchv1.Job) {
			t.Helper()
			finish(t, job, batchv1.JobComplete, batchv1.JobSuccessCriteriaMet, "")
		}, "pod is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := "failed-" + name
			running(t, tenant)
			jobs := probesOf(t, tenant)
			for i := range jobs {
				tc.run(t, &jobs[i])
			}
			got := wantIsolation(t, tenant, metav1.ConditionUnknown, v1alpha1.ReasonProbeFailed, tc.says)
			if got.Status.Isolation.Failures != 1 || got.Status.Isolation.LastProbeTime != nil {
				t.Errorf("status = %+v, want one failure and no proof", got.Status.Isolation)
			}
			wantCondition(t, tenant, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
		})
	}
}

// TestAForeignPolicyIsReasonForANewProbe adds one that the operator did not make and will not remove.
func TestAForeignPolicyIsReasonForANewProbe(t *testing.T) {
	startOperator(t)
	running(t, "widened")
	for _, job := range probesOf(t, "widened") {
		carryOut(t, &job, asPlanned())
	}
	before := wantIsolation(t, "widened", metav1.ConditionTrue, v1alpha1.ReasonIsolated, "").Status.Isolation
	eventually(t, "the finished probes to be removed", func() string { return probesLeft(t, "widened") })
	create(t, allowAll("widened"))
	wantIsolation(t, "widened", metav1.ConditionUnknown, v1alpha1.ReasonProbePending, "policies changed")
	for _, job := range probesOf(t, "widened") {
		carryOut(t, &job, asPlanned())
	}
	after := wantIsolation(t, "widened", metav1.ConditionTrue, v1alpha1.ReasonIsolated, "").Status.Isolation
	if after.PoliciesDigest == before.PoliciesDigest {
		t.Error("the proof does not name the policies it was made under")
	}
}

// allowAll is a policy that the operator did not make and will not remove.
func allowAll(tenant string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: "let-me-in"},
		Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}},
	}
}

func TestOfOthersOnlyWhatIsReadyIsKnockedAt(t *testing.T) {
	now := &held{at: time.Now()}
	startOperatorAt(t, now, unchanged)
	running(t, "before-curious")
	running(t, "next-to-curious")
	neighbour := neighbourOf(t, "curious", now)
	address := readyPod(t, neighbour, naming.Postgres, "10.244.9.1", true)
	silent := readyPod(t, neighbour, naming.ChatServer, "10.244.9.2", false)
	running(t, "curious")
	targets := map[string]isolation.Want{}
	for _, job := range probesOf(t, "curious") {
		plan, err := isolation.DecodePlan([]byte(planOf(&job)))
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range plan.Targets {
			targets[target.Address.String()] = target.Want
		}
		if strings.Contains(planOf(&job), neighbour) {
			t.Error("a plan names another tenant")
		}
	}
	if targets[address+":5432"] != isolation.WantClosed {
		t.Errorf("the neighbour's database is not knocked at: %v", targets)
	}
	if _, found := targets[silent+":8443"]; found {
		t.Error("a pod that is not ready is knocked at: that it does not answer proves nothing")
	}
	service := &corev1.Service{}
	key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}
	if err := admin.Get(t.Context(), key, service); err != nil {
		t.Fatal(err)
	}
	if targets[netip.MustParseAddr(service.Spec.ClusterIP).String()+":443"] != isolation.WantClosed {
		t.Errorf("the API server is not knocked at: %v", targets)
	}
}

// neighbourOf is a tenant with a namespace, on a day on which it is its turn: most days others have theirs.
func neighbourOf(t *testing.T, tenant string, now *held) string {
	t.Helper()
	names := append(namesOfTenants(t), tenant)
	at := now.Now().Truncate(probeplan.DefaultPeriod).Add(probeplan.DefaultPeriod / 2)
	for range names {
		at = at.Add(probeplan.DefaultPeriod)
		for _, name := range probeplan.Choose(names, tenant, probeplan.Round(at, probeplan.DefaultPeriod)) {
			found := &corev1.Namespace{}
			err := admin.Get(t.Context(), client.ObjectKey{Name: naming.Namespace(name)}, found)
			if err == nil && found.DeletionTimestamp.IsZero() {
				now.set(at)
				return name
			}
		}
	}
	t.Fatalf("none of %v has a namespace", names)
	return ""
}

// namesOfTenants waits until the operator has ended whatever an earlier test left on its way out, for who is whose
// neighbour depends on all. Where a namespace goes, nobody ends it here.
func namesOfTenants(t *testing.T) (names []string) {
	t.Helper()
	eventually(t, "tenants on their way out to go", func() string {
		tenants := &v1alpha1.ChatTenantList{}
		if err := admin.List(t.Context(), tenants); err != nil {
			return err.Error()
		}
		names = nil
		for i := range tenants.Items {
			one := &tenants.Items[i]
			if !one.DeletionTimestamp.IsZero() && one.Spec.DeletionPolicy != v1alpha1.DeletionDelete {
				return one.Name + " is still there: " + story(t, one.Name)
			}
			names = append(names, one.Name)
		}
		return ""
	})
	return names
}

func readyPod(t *testing.T, tenant, component, address string, ready bool) string {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: naming.Namespace(tenant), Name: component + "-0",
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelName: component},
		},
		Spec: corev1.PodSpec{
			NodeName: crashNode, AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{Name: component, Image: "i", SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}}},
		},
	}
	if err := admin.Create(t.Context(), pod); apierrors.IsAlreadyExists(err) {
		err = admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod)
		if err != nil {
			t.Fatal(err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	pod.Status.PodIPs, pod.Status.PodIP = []corev1.PodIP{{IP: address}}, address
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	if err := admin.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	heard(t, pod)
	return address
}
