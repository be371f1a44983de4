// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package hosts

import (
	"fmt"
	"sync"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/gateway/routes"
	"github.com/chattenant/chattenant/test/apiserver"
)

// rounds are enough that the order of requests, of times and of UIDs disagrees in many of them.
const rounds = 25

// TestTwoTenantsThatAskForAHostAtTheSameMomentGetOneAnswer creates pairs in parallel, or lets one move to the other's
// host at that moment, and then lets each winner give the host up.
func TestTwoTenantsThatAskForAHostAtTheSameMomentGetOneAnswer(t *testing.T) {
	platform(t)
	startOperator(t)
	gateways := []*routes.Table{startGateway(t), startGateway(t)}
	for round := range rounds {
		host := fmt.Sprintf("round-%d.example.test", round)
		a, b := newTenant(fmt.Sprintf("a-%d", round), host), newTenant(fmt.Sprintf("b-%d", round), host)
		if round%3 == 2 {
			// One of them comes from another host instead.
			b.Spec.Endpoint.Host = "from-" + host
			create(t, b)
			inParallel(func() { create(t, a) }, func() { move(t, b, host) })
		} else {
			inParallel(func() { create(t, a) }, func() { create(t, b) })
		}
		winner, loser := a, b
		if v1alpha1.ClaimsBefore(b, a) {
			winner, loser = b, a
		}
		wantOwner(t, gateways, host, winner, loser)
		if round%2 == 0 {
			move(t, winner, "moved-"+host)
		} else if err := admin.Delete(t.Context(), winner); err != nil {
			t.Fatal(err)
		}
		wantOwner(t, gateways, host, loser, nil)
	}
}

func inParallel(all ...func()) {
	var wg sync.WaitGroup
	for _, one := range all {
		wg.Go(one)
	}
	wg.Wait()
}

// wantOwner waits until the operator and every gateway say the same.
func wantOwner(t *testing.T, gateways []*routes.Table, host string, winner, loser *v1alpha1.ChatTenant) {
	t.Helper()
	deadline := time.Now().Add(apiserver.Patience)
	problem := disagreement(t, gateways, host, winner, loser)
	for ; problem != "" && time.Now().Before(deadline); problem = disagreement(t, gateways, host, winner, loser) {
		time.Sleep(20 * time.Millisecond)
	}
	if problem != "" {
		t.Fatalf("%s: %s", host, problem)
	}
}

func disagreement(
	t *testing.T, gateways []*routes.Table, host string, winner, loser *v1alpha1.ChatTenant,
) string {
	t.Helper()
	for i, gateway := range gateways {
		if owner, _ := gateway.Lookup(host); owner != winner.Name {
			return fmt.Sprintf("gateway %d leads to %q, want %q", i, owner, winner.Name)
		}
	}
	if !says(t, winner.Name, v1alpha1.ConditionGuardrailsInPlace, metav1.ConditionTrue,
		v1alpha1.ReasonGuardrailsApplied) || says(t, winner.Name, v1alpha1.ConditionStalled, metav1.ConditionTrue,
		v1alpha1.ReasonHostTaken) {
		return "the operator does not build " + winner.Name
	}
	if loser == nil {
		return ""
	}
	for condition, value := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionStalled: metav1.ConditionTrue, v1alpha1.ConditionEndpointReady: metav1.ConditionFalse,
	} {
		if !says(t, loser.Name, condition, value, v1alpha1.ReasonHostTaken) {
			return fmt.Sprintf("%s of %s does not say HostTaken", condition, loser.Name)
		}
	}
	return ""
}

func says(t *testing.T, tenant, condition string, value metav1.ConditionStatus, reason string) bool {
	t.Helper()
	got := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: tenant}, got); err != nil {
		t.Fatal(err)
	}
	found := meta.FindStatusCondition(got.Status.Conditions, condition)
	return found != nil && found.Status == value && found.Reason == reason
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil {
		t.Error(err)
	}
}

func move(t *testing.T, tenant *v1alpha1.ChatTenant, host string) {
	t.Helper()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"endpoint":{"host":%q}}}`, host))
	if err := admin.Patch(t.Context(), tenant, patch); err != nil {
		t.Error(err)
	}
}

func newTenant(name, host string) *v1alpha1.ChatTenant {
	return &v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ChatTenantSpec{
			ClassName: "standard", DisplayName: name, Region: "eu-central",
			Endpoint: v1alpha1.Endpoint{Host: host, AllowedOrigins: []v1alpha1.Origin{"https://www.example.test"}},
			Privacy:  v1alpha1.Privacy{PolicyURL: "https://www.example.test/privacy"},
		},
	}
}

// platform makes what tenants are built from.
func platform(t *testing.T) {
	t.Helper()
	create(t, &cmv1.ClusterIssuer{ObjectMeta: metav1.ObjectMeta{Name: "public"},
		Spec: cmv1.IssuerSpec{IssuerConfig: cmv1.IssuerConfig{SelfSigned: &cmv1.SelfSignedIssuer{}}}})
	create(t, &v1alpha1.ChatTenantClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"},
		Spec: v1alpha1.ChatTenantClassSpec{
			IssuerRef:  v1alpha1.IssuerReference{Kind: v1alpha1.IssuerKindCluster, Name: "public"},
			Images:     v1alpha1.Images{ChatServer: "chatserver:1", Postgres: "postgres:1"},
			Database:   v1alpha1.ClassDatabase{Engine: v1alpha1.EngineStandalone, StorageSize: resource.MustParse("1Gi")},
			ChatServer: v1alpha1.ClassChatServer{Replicas: 2},
		}})
	create(t, &v1alpha1.DataRegion{ObjectMeta: metav1.ObjectMeta{Name: "eu-central"}, Spec: v1alpha1.DataRegionSpec{
		DisplayName: "Frankfurt", Jurisdiction: "DE", StorageClassName: "local-eu-central",
		NodeSelector: map[string]v1alpha1.LabelValue{"node-restriction.kubernetes.io/region": "eu-central"},
	}})
}
