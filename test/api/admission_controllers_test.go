// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// controllers are the accounts that Kubernetes' own parts have in kube-system, as far as they write in namespaces.
var controllers = strings.Fields("attachdetach-controller cloud-controller-manager cronjob-controller " +
	"deployment-controller disruption-controller endpoint-controller endpointslice-controller " +
	"endpointslicemirroring-controller ephemeral-volume-controller expand-controller generic-garbage-collector " +
	"horizontal-pod-autoscaler job-controller namespace-controller node-controller persistent-volume-binder " +
	"pod-garbage-collector pvc-protection-controller replicaset-controller resourcequota-controller " +
	"root-ca-cert-publisher service-account-controller service-controller statefulset-controller " +
	"taint-eviction-controller ttl-after-finished-controller")

const inKubeSystem = "system:serviceaccount:kube-system:"

// TestEachOfKubernetesOwnPartsGoesOnWorking, under the name of its own and under the one that several share.
func TestEachOfKubernetesOwnPartsGoesOnWorking(t *testing.T) {
	inTenantNamespace(t)
	users := []string{"system:kube-controller-manager", "system:kube-scheduler", "system:cloud-controller-manager"}
	for _, name := range controllers {
		users = append(users, inKubeSystem+name)
	}
	for _, user := range users {
		c := under(t, user)
		if err := changingWhatIsManaged(t, c); err != nil {
			t.Errorf("%s changes: %v", user, err)
		}
		if err := writingAStatus(t, c); err != nil {
			t.Errorf("%s writes a status: %v", user, err)
		}
	}
	for _, user := range []string{users[0], namespaces, garbage} {
		if err := deletion(namespace("chat-acme"))(t.Context(), under(t, user)); err != nil {
			t.Errorf("%s deletes a namespace: %v", user, err)
		}
	}
}

// TestNobodyIsTakenForAPartOfKubernetes: a name that begins or ends like one of theirs is another's.
func TestNobodyIsTakenForAPartOfKubernetes(t *testing.T) {
	inTenantNamespace(t)
	acme := namespace("chat-acme")
	for _, user := range []string{
		"oidc:system:kube-controller-manager", "system:kube-controller-manager@platform.example",
		"oidc:" + inKubeSystem + "namespace-controller", inKubeSystem + "generic-garbage-collector-2",
	} {
		c := under(t, user)
		wantRefusal(t, changingWhatIsManaged(t, c), managed)
		wantRefusal(t, writingAStatus(t, c), whatWasFound)
		wantRefusal(t, patching(acme, disown)(t.Context(), c), labelsAreKept)
		wantRefusal(t, creation(newClaim("data-postgres-1"))(t.Context(), c), madeByCluster)
		unbound := newObject("v1", "PersistentVolumeClaim", unboundClaim(t))
		wantRefusal(t, patching(unbound, `{"spec":{"volumeName":"pv-of-globex"}}`)(t.Context(), c), boundByBinder)
	}
}

// unboundClaim is the name of a claim without a label, so that one policy alone has something to say about it.
func unboundClaim(t *testing.T) string {
	t.Helper()
	claim := newClaim("data-unbound-1")
	if err := as(t, statefulSets).Create(t.Context(), claim); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return claim.GetName()
}

func changingWhatIsManaged(t *testing.T, c client.Client) error {
	t.Helper()
	return patching(newObject("v1", "ConfigMap", "chatserver"), `{"data":{"a":"b"}}`)(t.Context(), c)
}

func writingAStatus(t *testing.T, c client.Client) error {
	t.Helper()
	return patchingSubresource(newObject("apps/v1", "Deployment", "chatserver"), "status", anyGeneration)(t.Context(), c)
}

// under acts in another's name with all rights. Unlike others of as, its clients know what is served without asking.
func under(t *testing.T, user string) client.Client {
	t.Helper()
	config := unlimited(admin)
	heeding(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{allRights}}
	c, err := client.New(config, client.Options{Mapper: adminClient(t).RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
