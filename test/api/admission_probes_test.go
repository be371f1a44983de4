// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	onlyOperatorProbes = "Jobs in a tenant's namespace are the ChatTenant operator's isolation probes"
	ownRole            = "label chattenant.io/network-role must be the pod's service account"
	steadyRole         = "label chattenant.io/network-role of a running pod cannot change"
	markedProbe        = "label app.kubernetes.io/name is isolation-probe on pods of that service account"
	nothingButAProbe   = "a pod of service account isolation-probe is made by a Job"
	chatServersImage   = "an isolation probe runs the chat server image of the tenant class probed and no other"
)

const roleLabel = "chattenant.io/network-role"

// probePod is one as the Job controller makes it of the operator's Job.
func probePod(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return changed(t, manifest(t, "pod"), set("metadata", map[string]any{
		"name": "isolation-1", "namespace": "chat-acme",
		"labels": map[string]any{"app.kubernetes.io/name": "isolation-probe", roleLabel: "postgres"},
		"ownerReferences": []any{map[string]any{
			"apiVersion": "batch/v1", "kind": "Job", "name": "isolation", "uid": "1", "controller": true,
		}},
	}), set("spec.serviceAccountName", "isolation-probe"), set("spec.restartPolicy", "Never"),
		set("spec.containers", []any{probeContainer(map[string]any{})}))
}

func probeContainer(with map[string]any) map[string]any {
	c := map[string]any{
		"name": "probe", "image": "probed-chatserver:1", "args": []any{"probe-isolation"},
		"env": []any{map[string]any{"name": "CHATTENANT_ISOLATION_PLAN", "value": "{}"}},
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}},
		},
	}
	for key, value := range with {
		c[key] = value
	}
	return c
}

// withProbedClass makes the class that the tenant's namespace names, and another one. They stay: what admission knows
// of a class that comes and goes, it knows a moment later.
func withProbedClass(t *testing.T) {
	t.Helper()
	for name, image := range map[string]string{"probed": "probed-chatserver:1", "another": "another-chatserver:1"} {
		class := changed(t, manifest(t, "chattenantclass"), set("metadata.name", name), set("spec.images.chatServer", image))
		if err := as(t, person).Create(t.Context(), class); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	if err := eventuallyAdmitted(t.Context(), as(t, manager), creation(probePod(t))); err != nil {
		t.Fatalf("a probe of a known class is refused: %v", err)
	}
}

func TestAProbesPodIsNothingButAProbe(t *testing.T) {
	inTenantNamespace(t)
	withProbedClass(t)
	containers := func(with map[string]any) change { return set("spec.containers", []any{probeContainer(with)}) }
	for _, row := range []struct {
		name    string
		change  change
		message string
	}{
		{"as the operator's Job makes it", set("spec.hostname", "one"), ""},
		{"without a Job", set("metadata.ownerReferences", absent), nothingButAProbe},
		{"with a Secret", set("spec.volumes", []any{map[string]any{"name": "s",
			"secret": map[string]any{"secretName": "endpoint"}}}), nothingButAProbe},
		{"with another command", containers(map[string]any{"command": []any{"sh"}}), nothingButAProbe},
		{"with other arguments", containers(map[string]any{"args": []any{"serve"}}), nothingButAProbe},
		{"with a Secret in its environment", containers(map[string]any{"env": []any{map[string]any{
			"name": "CHATTENANT_ISOLATION_PLAN", "valueFrom": map[string]any{
				"secretKeyRef": map[string]any{"name": "endpoint", "key": "tls.key"}}}}}), nothingButAProbe},
		{"with a second container", set("spec.containers", []any{probeContainer(map[string]any{}),
			probeContainer(map[string]any{"name": "second"})}), nothingButAProbe},
		{"of another image", containers(map[string]any{"image": "shell:1"}), chatServersImage},
		{"of another class's image", containers(map[string]any{"image": "another-chatserver:1"}), chatServersImage},
		{"without the mark of a probe", set("metadata.labels", map[string]any{roleLabel: "postgres"}), markedProbe},
	} {
		for _, user := range []string{operator, manager} {
			t.Run(row.name+" by "+user, func(t *testing.T) {
				err := creation(changed(t, probePod(t), row.change))(t.Context(), as(t, user))
				if row.message != "" {
					wantRefusal(t, err, row.message)
				} else if err != nil {
					t.Errorf("want no refusal, got: %v", err)
				}
			})
		}
	}
}

func TestOnlyAProbeTakesAnothersPlaceInTheNetwork(t *testing.T) {
	inTenantNamespace(t)
	withProbedClass(t)
	for role, message := range map[string]string{
		"chatserver": "", "postgres": ownRole, "egress": ownRole, "none": ownRole,
	} {
		pod := changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"), set("metadata.labels", map[string]any{
			"app.kubernetes.io/managed-by": "chattenant", "app.kubernetes.io/name": "chatserver", roleLabel: role}))
		err := creation(pod)(t.Context(), as(t, replicaSets))
		if message != "" {
			wantRefusal(t, err, message)
		} else if err != nil {
			t.Errorf("role %s: want no refusal, got: %v", role, err)
		}
	}
	pretender := changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"),
		set("metadata.labels", map[string]any{"app.kubernetes.io/name": "isolation-probe"}),
		set("spec.containers", []any{probeContainer(map[string]any{})}))
	wantRefusal(t, creation(pretender)(t.Context(), as(t, replicaSets)), markedProbe)
}

func TestOnlyTheOperatorMakesJobsInATenantsNamespace(t *testing.T) {
	inTenantNamespace(t)
	job := newObject("batch/v1", "Job", "foreign")
	job.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
		"restartPolicy": "Never", "containers": []any{map[string]any{"name": "c", "image": "i"}}}}}
	cron := newObject("batch/v1", "CronJob", "foreign")
	cron.Object["spec"] = map[string]any{
		"schedule": "0 0 * * *", "jobTemplate": map[string]any{"spec": job.Object["spec"]},
	}
	testMatrix(t, []permission{
		{"create a Job", creation(job), trusted, onlyOperatorProbes},
		{"create a CronJob", creation(cron), trusted, onlyOperatorProbes},
	})
	unmanaged := func(ctx context.Context, c client.Client) error {
		return patching(newObject("v1", "Pod", "chatserver-1"), labelTo(roleLabel, "postgres"))(ctx, c)
	}
	wantRefusal(t, unmanaged(t.Context(), as(t, person)), steadyRole)
}
