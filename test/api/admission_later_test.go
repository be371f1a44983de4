// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What is here was right when it was made, and is wrong since something else came: it is in nobody's way.

// TestATenantWhoseRegionTurnsOutToLieOutsideIsStillCaredFor: only what it declares is judged anew.
func TestATenantWhoseRegionTurnsOutToLieOutsideIsStillCaredFor(t *testing.T) {
	c := as(t, person)
	early := ensure(t, adminClient(t), changed(t, manifest(t, "chattenant"), set("metadata.name", "early"),
		set("spec.endpoint.host", "early.example"), set("spec.region", "later"),
		set("spec.residency.jurisdictions", []string{"JP"})))
	ensure(t, adminClient(t), changed(t, manifest(t, "dataregion"), set("metadata.name", "later"),
		set("spec.jurisdiction", "DE")))
	rename := patching(early, `{"spec":{"displayName":"Another"}}`)
	eventually(t, func() error { return rename(t.Context(), c) }, outsideResidency)
	for _, body := range []string{annotationTo("a", "b"), `{"metadata":{"finalizers":["example.com/hold"]}}`} {
		if err := patching(early, body)(t.Context(), c); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestAPodFromBeforeItsTenantHadNodesLivesOn until it is replaced.
func TestAPodFromBeforeItsTenantHadNodesLivesOn(t *testing.T) {
	inTenantNamespace(t)
	const name = "chat-moving"
	clusterHas(t, name, map[string]string{managedBy: "chattenant", "chattenant.io/tenant": "moving",
		"chattenant.io/region": "eu-central", "pod-security.kubernetes.io/enforce": "restricted"})
	dedicate := func(value string) {
		patch := client.RawPatch("application/merge-patch+json", []byte(labelTo("chattenant.io/nodes", value)))
		if err := as(t, operator).Patch(t.Context(), namespace(name), patch); err != nil {
			t.Fatal(err)
		}
	}
	dedicate("")
	pod, c := changed(t, manifest(t, "pod"), set("metadata.namespace", name)), as(t, replicaSets)
	eventuallyAllowed(t, func() error { return client.IgnoreAlreadyExists(c.Create(t.Context(), pod.DeepCopy())) })
	dedicate("dedicated")
	next := changed(t, pod, set("metadata.name", "chatserver-2"))
	eventually(t, func() error { return creation(next)(t.Context(), c) }, onItsOwnNodes)
	if err := patching(pod, annotationTo("a", "b"))(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// TestADefinitionThatNamesNoReleaseTakesAny: there is nothing to fall behind.
func TestADefinitionThatNamesNoReleaseTakesAny(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	crd := changed(t, manifest(t, "definition"), set("metadata.annotations", absent),
		set("metadata.name", "samples.chattenant.io"), set("spec.names", map[string]string{
			"kind": "Sample", "listKind": "SampleList", "plural": "samples", "singular": "sample"}))
	// One that is deleted takes a moment to go.
	eventuallyAllowed(t, func() error { return adminClient(t).Create(t.Context(), crd.DeepCopy()) })
	t.Cleanup(func() { remove(t, crd.DeepCopy()) })
	for _, release := range []change{set("metadata.labels", map[string]string{"a": "b"}), releaseIs("0.0.1")} {
		if err := c.Patch(t.Context(), changed(t, crd, release), whole{}, client.DryRunAll); err != nil {
			t.Error(err)
		}
	}
}

// TestATokenIsForTheKeyServiceInUseWhicheverItIs.
func TestATokenIsForTheKeyServiceInUseWhicheverItIs(t *testing.T) {
	inTenantNamespace(t)
	// Others declare nothing, and have nothing to say about this one's.
	ensure(t, adminClient(t), changed(t, manifest(t, "chattenant"), set("metadata.name", "bystander"),
		set("spec.endpoint.host", "bystander.example")))
	for audience, encryption := range map[string]change{
		"vault.example": vaultKey(1), "sts.amazonaws.com": keys("kms", awsKey(1)),
		"https:" + googleProvider: keys("kms", googleKey(1)),
	} {
		t.Run(audience, func(t *testing.T) {
			sealedTenant(t, encryption, audience)
			for _, other := range []string{"vault.example", "sts.amazonaws.com", "https:" + googleProvider} {
				err := creation(tokenPod(t, volumes(projecting(tokenFor(other, 3600)))))(t.Context(), as(t, replicaSets))
				if other != audience {
					wantRefusal(t, err, onlyDeclared)
				}
			}
			plain := tokenPod(t, set("spec.volumes", absent))
			if err := creation(plain)(t.Context(), as(t, replicaSets)); err != nil {
				t.Errorf("without a token: %v", err)
			}
		})
	}
}

// eventuallyAllowed is for what the API server learns of by watching, where it ends a refusal.
func eventuallyAllowed(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for range tries {
		if err = try(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(err)
}
