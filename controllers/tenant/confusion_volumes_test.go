// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// volumeFor is a volume that names the claim of a tenant's database, as one of a certain UID or of none.
func volumeFor(t *testing.T, tenant string, uid types.UID) *corev1.PersistentVolume {
	t.Helper()
	volume := localVolume("volume-for-"+tenant, crashNode, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace(tenant), Name: desired.DatabaseClaim, UID: uid}})
	create(t, volume)
	return volume
}

func databaseOf(tenant string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: naming.Postgres}}
}

func wantDatabase(t *testing.T, tenant string) {
	t.Helper()
	eventually(t, "the database of "+tenant, func() string {
		set := databaseOf(tenant)
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
			return story(t, tenant)
		}
		return ""
	})
}

func TestAVolumeThatWasMadeForATenantBeforeIsNotAdopted(t *testing.T) {
	startOperator(t)
	platform(t)
	volume := volumeFor(t, "awaited", "")
	create(t, newTenant("awaited"))
	reportCertificates(t, "awaited")
	wantFalse(t, "awaited", v1alpha1.ConditionDatabaseReady, v1alpha1.ReasonObjectNotOurs, volume.Name)
	wantStalled(t, "awaited", v1alpha1.ReasonObjectNotOurs)
	mustNotExist(t, databaseOf("awaited"))

	patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/spec/claimRef"}]`))
	if err := admin.Patch(t.Context(), volume, patch); err != nil {
		t.Fatal(err)
	}
	wantDatabase(t, "awaited")
}

// What an earlier tenant of that name left is joined with no other claim, and is in nobody's way.
func TestAVolumeOfAnEarlierTenantIsInNobodysWay(t *testing.T) {
	startOperator(t)
	platform(t)
	volumeFor(t, "successor", "0a000000-0000-4000-8000-000000000000")
	create(t, newTenant("successor"))
	reportCertificates(t, "successor")
	wantDatabase(t, "successor")
}
