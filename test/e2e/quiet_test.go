// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/auditlog"
)

const (
	// settled is how long nothing must happen before nothing is expected to happen any more.
	settled = 3 * time.Second
	// leadership is how long a new operator may take until it acts: at worst it waits for the old one's lease.
	leadership = 90 * time.Second
)

func TestARestartOfTheOperatorWritesNothing(t *testing.T) {
	reader := newMetricsReader(t)
	awaitRest(t)
	mark := markLog(t)
	restartOperator(t)
	awaitPasses(t, reader, 0, leadership)
	wroteNothing(t, mark)
}

func TestASecondPassOverEveryTenantWritesNothing(t *testing.T) {
	reader := newMetricsReader(t)
	awaitRest(t)
	before := 0
	eventually(t, patience, "the operator's metrics are read", func(context.Context) (err error) {
		before, err = reader.reconciles(t)
		return err
	})
	mark := markLog(t)
	touchClass(t)
	awaitPasses(t, reader, before, patience)
	wroteNothing(t, mark)
}

func TestTheOperatorMayNotReadSecretsAnywhere(t *testing.T) {
	for _, namespace := range []string{"", systemNamespace, "kube-system", "chat-" + acme, "chat-" + globex} {
		for _, verb := range []string{"get", "list", "watch", "update", "patch", "deletecollection"} {
			if may(t, operatorUser, verb, "", "secrets", namespace) {
				t.Errorf("the operator may %s secrets in namespace %q", verb, namespace)
			}
		}
	}
	if !may(t, operatorUser, "create", "", "secrets", "chat-"+acme) {
		t.Error("the operator may not create a tenant's key: the question was asked wrongly")
	}
}

func markLog(t *testing.T) *auditlog.Mark {
	t.Helper()
	mark, err := live.audit.Mark()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mark.Close() })
	return mark
}

// awaitRest waits until nothing is under way that earlier tests set off, and the operator has not written for a while.
// It may be quiet for longer than that while a tenant's pods end or its probes run, and write afterwards.
func awaitRest(t *testing.T) {
	t.Helper()
	eventually(t, probePatience, "the operator is at rest", func(ctx context.Context) error {
		if err := live.nothingUnderWay(ctx); err != nil {
			return err
		}
		mark := markLog(t)
		pause(t, settled)
		writes, err := mark.Events(operatorUser, auditlog.And(auditlog.By(operatorUser), auditlog.Writes))
		if err != nil || len(writes) > 0 {
			return errors.Join(err, fmt.Errorf("it wrote:\n%s", auditlog.Describe(writes)))
		}
		return nil
	})
}

// nothingUnderWay says which tenant is still coming, going, being changed or probed.
func (c *cluster) nothingUnderWay(ctx context.Context) error {
	tenants := &v1alpha1.ChatTenantList{}
	if err := c.List(ctx, tenants); err != nil {
		return err
	}
	for i := range tenants.Items {
		if err := atRest(&tenants.Items[i]); err != nil {
			return err
		}
	}
	return c.noProbes(ctx)
}

// atRest says what is still to come of a tenant.
func atRest(tenant *v1alpha1.ChatTenant) error {
	conditions := tenant.Status.Conditions
	if !tenant.DeletionTimestamp.IsZero() || !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionReconciling) ||
		!meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionIsolationVerified) {
		return fmt.Errorf("tenant %s:\n%s", tenant.Name, describe(tenant.Name))
	}
	return nil
}

// noProbes says where the operator has not removed the probes yet that have ended.
func (c *cluster) noProbes(ctx context.Context, in ...client.ListOption) error {
	jobs := &batchv1.JobList{}
	if err := c.List(ctx, jobs, append(in, named(naming.IsolationProbe))...); err != nil {
		return err
	}
	if n := len(jobs.Items); n > 0 {
		return fmt.Errorf("there are %d probes, one in %s", n, jobs.Items[0].Namespace)
	}
	return nil
}

// wroteNothing fails the test if the operator sent anything but reads since the mark, even if it changed nothing.
func wroteNothing(t *testing.T, mark *auditlog.Mark) {
	t.Helper()
	pause(t, settled)
	all, err := mark.Events(operatorUser, auditlog.By(operatorUser))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the operator's requests:\n%s", auditlog.Describe(all))
	writes, err := mark.Events(operatorUser, auditlog.And(auditlog.By(operatorUser), auditlog.Writes))
	if err != nil {
		t.Fatal(err)
	}
	if len(writes) > 0 {
		t.Errorf("the operator wrote:\n%s", auditlog.Describe(writes))
	}
}

// restartOperator deletes the operator's pods and waits for others.
func restartOperator(t *testing.T) {
	t.Helper()
	old := map[string]bool{}
	for _, pod := range operatorPods(t) {
		old[pod.Name] = true
		if err := live.Delete(t.Context(), &pod); err != nil {
			t.Fatalf("delete the operator's pod: %v", err)
		}
	}
	eventually(t, patience, "a new operator runs", func(ctx context.Context) error {
		pods, err := live.runningPods(ctx, systemNamespace, named(operatorAccount))
		if err != nil {
			return err
		}
		for i := range pods {
			if !old[pods[i].Name] {
				return podReady(&pods[i])
			}
		}
		return errors.New("only the old ones do")
	})
}

// touchClass changes an annotation of the demo's class, on which every tenant depends, back and forth.
func touchClass(t *testing.T) {
	t.Helper()
	class := &v1alpha1.ChatTenantClass{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: demoClass}, class); err != nil {
		t.Fatal(err)
	}
	touched := class.DeepCopy()
	metav1.SetMetaDataAnnotation(&touched.ObjectMeta, ownPrefix+"touched", "yes")
	if err := live.Patch(t.Context(), touched, client.MergeFrom(class)); err != nil {
		t.Fatalf("touch class %s: %v", class.Name, err)
	}
	t.Cleanup(func() {
		restored := touched.DeepCopy()
		delete(restored.Annotations, ownPrefix+"touched")
		if err := live.Patch(context.Background(), restored, client.MergeFrom(touched)); err != nil {
			t.Errorf("restore class %s: %v", class.Name, err)
		}
	})
}

// awaitPasses waits until the operator has passed over every tenant since it had made so many passes.
func awaitPasses(t *testing.T, reader metricsReader, since int, within time.Duration) {
	t.Helper()
	tenants := &v1alpha1.ChatTenantList{}
	if err := live.List(t.Context(), tenants); err != nil {
		t.Fatal(err)
	}
	want := since + len(tenants.Items)
	eventually(t, within, fmt.Sprintf("the operator has made %d passes", want), func(context.Context) error {
		have, err := reader.reconciles(t)
		if err == nil && have < want {
			err = fmt.Errorf("it has made %d", have)
		}
		return err
	})
}

// awaitPass waits until the operator has made a pass since it had made so many.
func awaitPass(t *testing.T, reader metricsReader, since int) {
	t.Helper()
	eventually(t, patience, "the operator has looked", func(context.Context) error {
		if have, err := reader.reconciles(t); err != nil || have <= since {
			return errors.Join(err, fmt.Errorf("it has made %d passes, as before", have))
		}
		return nil
	})
}

// operatorRestarts counts how often the operator's containers were started again.
func operatorRestarts(pods []corev1.Pod) int32 {
	var restarts int32
	for i := range pods {
		for _, c := range pods[i].Status.ContainerStatuses {
			restarts += c.RestartCount
		}
	}
	return restarts
}

// lastWords are the end of what the operator logged before it was started again.
func lastWords(t *testing.T) string {
	t.Helper()
	pod, lines := operatorPods(t)[0], int64(20)
	options := &corev1.PodLogOptions{Previous: true, TailLines: &lines}
	log, err := live.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(t.Context())
	if err != nil {
		return err.Error()
	}
	return string(log)
}
