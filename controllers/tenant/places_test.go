// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

const placeLabel = "node-restriction.kubernetes.io/region"

// placed is a tenant that is Ready, with its pods on one node and its volume on another.
func placed(t *testing.T, name, className string) (pods, volume *corev1.Node) {
	t.Helper()
	tenant := newTenant(name)
	tenant.Spec.ClassName = className
	create(t, tenant)
	pods, volume = placeNode(t, name+"-pods", name), placeNode(t, name+"-volume", name)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace(name), Name: "data-postgres-0",
		Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}},
		Spec: corev1.PersistentVolumeClaimSpec{
			VolumeName: "pv-" + name, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
	}
	bound := localVolume(claim.Spec.VolumeName, volume.Name, claim)
	claim.Spec.Resources.Requests = bound.Spec.Capacity
	report(t, name)
	create(t, claim)
	bound.Spec.ClaimRef.UID = claim.UID
	create(t, bound)
	create(t, placedPod(name, pods.Name))
	wantCondition(t, name, v1alpha1.ConditionPlacementVerified, v1alpha1.ReasonInRegion)
	return pods, volume
}

// placeNode is a node of the region, dedicated to a tenant.
func placeNode(t *testing.T, name, owner string) *corev1.Node {
	t.Helper()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			placeLabel: "eu-central", "kubernetes.io/hostname": name, v1alpha1.KeyDedicated: owner}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: v1alpha1.KeyDedicated, Value: owner, Effect: corev1.TaintEffectNoSchedule}}},
	}
	create(t, node)
	return node
}

func placedPod(tenant, node string) *corev1.Pod {
	w := &world{namespace: naming.Namespace(tenant)}
	return w.pod("chatserver", "chatserver-"+node, node)
}

// wantPlacement waits until the tenant's placement is not what it should be, for a reason, and Ready neither.
func wantPlacement(t *testing.T, tenant, reason, mentions string) {
	t.Helper()
	eventually(t, tenant+" to say "+reason, func() string {
		got := &v1alpha1.ChatTenant{}
		if err := admin.Get(t.Context(), client.ObjectKey{Name: tenant}, got); err != nil {
			return err.Error()
		}
		found := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionPlacementVerified)
		if found == nil || found.Status != metav1.ConditionFalse || found.Reason != reason ||
			!strings.Contains(found.Message, mentions) || meta.IsStatusConditionTrue(got.Status.Conditions, "Ready") {
			return fmt.Sprintf("want False %s about %q, got\n%s", reason, mentions, story(t, tenant))
		}
		return ""
	})
}

func relabelNode(t *testing.T, node *corev1.Node, key, value string) {
	t.Helper()
	body := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	patch := client.RawPatch("application/merge-patch+json", []byte(body))
	if err := admin.Patch(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name}}, patch); err != nil {
		t.Fatal(err)
	}
}

func TestANodeThatLeavesTheRegionIsNoticed(t *testing.T) {
	platform(t)
	startOperator(t)
	pods, volume := placed(t, "watched", "standard")
	for name, node := range map[string]*corev1.Node{"Pod chatserver-watched-pods": pods,
		"PersistentVolumeClaim data-postgres-0": volume} {
		relabelNode(t, node, placeLabel, "elsewhere")
		wantPlacement(t, "watched", v1alpha1.ReasonOutsideRegion, name)
		relabelNode(t, node, placeLabel, "eu-central")
		wantCondition(t, "watched", v1alpha1.ConditionPlacementVerified, v1alpha1.ReasonInRegion)
	}
	eventually(t, "the tenant to be paused", func() string {
		return patchTenant(t, "watched", func(tenant *v1alpha1.ChatTenant) {
			tenant.Spec.Reconciliation = v1alpha1.ReconciliationPaused
		})
	})
	wantCondition(t, "watched", v1alpha1.ConditionPaused, v1alpha1.ReasonPausedBySpec)
	relabelNode(t, pods, placeLabel, "elsewhere")
	wantPlacement(t, "watched", v1alpha1.ReasonOutsideRegion, "Pod chatserver-watched-pods")
}

func patchTenant(t *testing.T, name string, change func(*v1alpha1.ChatTenant)) string {
	t.Helper()
	tenant := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, tenant); err != nil {
		return err.Error()
	}
	before := tenant.DeepCopy()
	change(tenant)
	if err := admin.Patch(t.Context(), tenant, client.MergeFrom(before)); err != nil {
		return err.Error()
	}
	return ""
}

func TestADedicatedNodeThatIsNotIsNoticed(t *testing.T) {
	platform(t)
	startOperator(t)
	own := class("own-nodes", "public")
	own.Spec.Isolation = &v1alpha1.Isolation{DedicatedNodes: v1alpha1.DedicatedNodesRequired}
	create(t, own)
	pods, _ := placed(t, "alone", "own-nodes")
	create(t, newTenant("intruder"))
	wantGuardrails(t, "intruder")

	relabelNode(t, pods, v1alpha1.KeyDedicated, "intruder")
	wantPlacement(t, "alone", v1alpha1.ReasonNodeNotDedicated, "node alone-pods is not labelled")
	relabelNode(t, pods, v1alpha1.KeyDedicated, "alone")
	wantCondition(t, "alone", v1alpha1.ConditionPlacementVerified, v1alpha1.ReasonInRegion)

	foreign := placedPod("intruder", pods.Name)
	create(t, foreign)
	wantPlacement(t, "alone", v1alpha1.ReasonNodeNotDedicated, "also runs pods of ChatTenant intruder")
	if err := admin.Delete(t.Context(), foreign, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, "alone", v1alpha1.ConditionPlacementVerified, v1alpha1.ReasonInRegion)

	untaint := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"taints":null}}`))
	if err := admin.Patch(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pods.Name}}, untaint); err != nil {
		t.Fatal(err)
	}
	wantPlacement(t, "alone", v1alpha1.ReasonNodeNotDedicated, "node alone-pods is not tainted")
}

func TestARuntimeClassThatIsMissingIsSaid(t *testing.T) {
	platform(t)
	startOperator(t)
	sandboxed := class("sandboxed", "public")
	sandboxed.Spec.Isolation = &v1alpha1.Isolation{RuntimeClassName: "not-yet"}
	create(t, sandboxed)
	tenant := newTenant("unsandboxed")
	tenant.Spec.ClassName = "sandboxed"
	create(t, tenant)
	c := wantStalled(t, "unsandboxed", v1alpha1.ReasonRuntimeClassNotFound)
	if !strings.Contains(c.Message, `no RuntimeClass "not-yet"`) {
		t.Errorf("the message is %q", c.Message)
	}
	mustNotExist(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace("unsandboxed")}})
	create(t, &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "not-yet"}, Handler: "runsc"})
	wantGuardrails(t, "unsandboxed")
}
