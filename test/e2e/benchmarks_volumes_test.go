// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// Admission policies on volumes.
const (
	volumesPolicy = "chattenant-volumes"
	bindingPolicy = "chattenant-volume-binding"
)

func inNamespaceOf(tenant string) []client.ListOption {
	return []client.ListOption{client.InNamespace(naming.Namespace(tenant))}
}

// claimsOnly tries every way to storage that outlives a pod without a claim that the region's policy has seen.
func claimsOnly(t *testing.T, tr *trial) {
	for what, kind := range map[string]struct {
		corev1.VolumeSource
		by refuser
	}{
		"a folder of the node": {
			corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/volumes"}}, byPodSecurity,
		},
		"a share by NFS": {
			corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "192.0.2.10", Path: "/"}}, byPodSecurity,
		},
		"a disk by iSCSI": {
			corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{TargetPortal: "192.0.2.10", IQN: "iqn.2026-01.example:a"}},
			byPodSecurity,
		},
		"whatever a driver makes": {
			corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "nfs.csi.example"}}, byPolicy(policyPods),
		},
		"a claim that lives as long as the pod": {
			corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
				VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: newClaim("").Spec},
			}}, byPolicy(policyPods),
		},
		"an image": {corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "busybox"}}, byAnybody},
	} {
		pod := placedPod()
		pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: kind.VolumeSource}}
		tr.refused(t, tr.controller, what, making(pod), kind.by)
		tr.refusedToAll(t, what, making(pod), byRBAC, byAnybody)
	}
	volume := &corev1.PersistentVolume{ObjectMeta: object("", "own")}
	tr.refusedToAll(t, "make a volume", making(volume), byRBAC, byRBAC)
}

// volumesAreReclaimed looks at the tenants' volumes: a deleted claim takes them along, and nobody in the namespace can
// have that changed. That the disk is wiped is shown where a tenant is deleted.
func volumesAreReclaimed(t *testing.T, tr *trial) {
	for _, tenant := range []string{acme, globex} {
		volume := volumeOf(t, tenant)
		if volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
			tr.row.otherwise("")
			t.Errorf("volume %s of %s is kept when its claim goes: %s", volume.Name, tenant,
				volume.Spec.PersistentVolumeReclaimPolicy)
			continue
		}
		tr.row.opened("")
		tr.refusedToAll(t, "keep a volume",
			changing(volume, `{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`), byRBAC, byRBAC)
	}
}

// volumeOf is the volume of a tenant's database.
func volumeOf(t *testing.T, tenant string) *corev1.PersistentVolume {
	t.Helper()
	volume := &corev1.PersistentVolume{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: whatStays(t, tenant).volume}, volume); err != nil {
		t.Fatalf("read volume: %v", err)
	}
	return volume
}

// noVolumeIsReused tries to bring a volume of another into a claim of acme's: by name, by labels, as a copy, and
// through the operator's templates. Volumes that are free are empty.
func noVolumeIsReused(t *testing.T, tr *trial) {
	namespace, foreign := naming.Namespace(acme), volumeOf(t, globex)
	for what, change := range map[string]func(*corev1.PersistentVolumeClaimSpec){
		"by name": func(s *corev1.PersistentVolumeClaimSpec) { s.VolumeName = foreign.Name },
		"by labels": func(s *corev1.PersistentVolumeClaimSpec) {
			s.Selector = &metav1.LabelSelector{MatchLabels: foreign.Labels}
		},
		"as a copy": func(s *corev1.PersistentVolumeClaimSpec) {
			s.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "data-postgres-0"}
		},
	} {
		claim := newClaim(namespace)
		change(&claim.Spec)
		tr.refused(t, tr.claimer, "claim "+what, making(claim), byPolicy(volumesPolicy))
		for _, account := range tr.accounts {
			tr.refused(t, account, "claim "+what, making(claim), byRBAC)
		}
		tr.refused(t, tr.admin, "claim "+what, making(claim), byAnybody)
		tr.refused(t, tr.operator, "template of a claim "+what, making(templateOf(claim)), byPolicy(volumesPolicy))
	}
	tr.refused(t, tr.admin, "a claim of one's own", making(newClaim(namespace)), byPolicy(bindingPolicy))
	tr.volumesAreTheirOwn(t)
}

// templateOf is a StatefulSet that would have such a claim made.
func templateOf(claim *corev1.PersistentVolumeClaim) *appsv1.StatefulSet {
	labels := map[string]string{"e2e": ""}
	data := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: claim.Spec}
	return &appsv1.StatefulSet{
		ObjectMeta: object(claim.Namespace, "own"),
		Spec: appsv1.StatefulSetSpec{
			Selector:             &metav1.LabelSelector{MatchLabels: labels},
			Template:             corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: placedPod().Spec},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{data},
		},
	}
}

// volumesAreTheirOwn looks at all volumes: each that is bound is so to the very claim that it was bound to first.
func (tr *trial) volumesAreTheirOwn(t *testing.T) {
	t.Helper()
	all := &corev1.PersistentVolumeList{}
	if err := live.List(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for i := range all.Items {
		volume := &all.Items[i]
		if volume.Status.Phase != corev1.VolumeBound {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		key := client.ObjectKey{Namespace: volume.Spec.ClaimRef.Namespace, Name: volume.Spec.ClaimRef.Name}
		err := live.Get(t.Context(), key, claim)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		// A tenant of another test may just be going, or coming: then the claim does not name its volume yet.
		if err == nil && (claim.UID != volume.Spec.ClaimRef.UID ||
			claim.Spec.VolumeName != volume.Name && claim.Spec.VolumeName != "") ||
			slices.Contains(seen, key.String()) {
			tr.row.otherwise("")
			t.Errorf("volume %s is bound to claim %s, which is another by now", volume.Name, key)
		}
		tr.row.opened("")
		seen = append(seen, key.String())
	}
}
