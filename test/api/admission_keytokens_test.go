// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	volumeAlone  = "at most one volume with tokens, for key services alone"
	notForTheAPI = "a projected token names an audience that is not the Kubernetes API"
	onlyDeclared = "a token of ChatTenant acme is for the key services of its spec.encryption"
)

// tokenFor is a source of a projected volume.
func tokenFor(audience string, seconds int) any {
	return map[string]any{"serviceAccountToken": map[string]any{
		"audience": audience, "expirationSeconds": seconds, "path": "token",
	}}
}

func projecting(sources ...any) map[string]any {
	return map[string]any{"name": "key-service-token", "projected": map[string]any{"sources": sources}}
}

func volumes(list ...any) change { return set("spec.volumes", list) }

// tokenPod is a chat server's pod with tokens as the operator's templates make it.
func tokenPod(t *testing.T, by change) *unstructured.Unstructured {
	t.Helper()
	return changed(t, manifest(t, "pod"), set("metadata.name", "chatserver-2"),
		volumes(projecting(tokenFor("vault.example", 3600))), by)
}

// sealedTenant makes the tenant of the namespace, with this encryption, and waits until admission has heard of it.
func sealedTenant(t *testing.T, encryption change, audience string) {
	t.Helper()
	tenant := changed(t, manifest(t, "chattenant"), set("metadata.name", "acme"),
		set("spec.endpoint.host", "sealed.acme.example"), encryption)
	ensureKnown(t, tenant)
	pod := tokenPod(t, volumes(projecting(tokenFor(audience, 3600))))
	if err := creation(pod)(t.Context(), as(t, replicaSets)); err != nil {
		t.Fatalf("a token for a declared key service is refused: %v", err)
	}
}

// Nobody is exempt: the controllers that make pods from the operator's templates least of all.
func TestOnlyChatServersHaveTokensAndOnlyForTheirKeyServices(t *testing.T) {
	inTenantNamespace(t)
	before := []map[string]any{{"kms": awsKey(3)}, vault(2), {"kms": googleKey(1)}}
	sealedTenant(t, keys("kms", awsKey(4), before...), "vault.example")
	vaults, clouds := tokenFor("vault.example", 3600), tokenFor("sts.amazonaws.com", 600)
	as := func(account, component string) change {
		return func(t *testing.T, o *unstructured.Unstructured) {
			t.Helper()
			o.SetLabels(map[string]string{"app.kubernetes.io/name": component})
			set("spec.serviceAccountName", account)(t, o)
		}
	}
	testTokens(t, []tokenRow{
		{"for the key of before", set("spec.hostname", "one"), ""},
		{"for the key in use", volumes(projecting(clouds)), ""},
		{"for both, and one of long before",
			volumes(projecting(vaults, clouds, tokenFor("https:"+googleProvider, 3600))), ""},

		{"of the database", as("postgres", "postgres"), noAPIAccess},
		{"of the egress gateway", as("egress", "egress"), noAPIAccess},
		{"of something else under the chat server's account", as("chatserver", "shell"), noAPIAccess},
		{"beside the API's own", set("spec.automountServiceAccountToken", true), noAPIAccess},

		{"in two volumes", volumes(projecting(vaults), map[string]any{
			"name": "second", "projected": map[string]any{"sources": []any{vaults}}}), volumeAlone},
		{"with something else", volumes(projecting(vaults, map[string]any{"secret": map[string]any{"name": "s"}})),
			volumeAlone},
		{"beside a certificate of the pod's", volumes(projecting(vaults, map[string]any{"podCertificate": map[string]any{
			"signerName": "example.test/signer", "keyType": "ED25519", "credentialBundlePath": "bundle"}})), volumeAlone},
		{"for a day", volumes(projecting(tokenFor("vault.example", 86400))), volumeAlone},
		{"for an hour and a second", volumes(projecting(vaults, tokenFor("vault.example", 3601))), volumeAlone},

		{"without an audience", volumes(projecting(vaults, tokenFor("", 3600))), notForTheAPI},
		{"for somebody else", volumes(projecting(tokenFor("vault.elsewhere.example", 3600))), onlyDeclared},
		{"for somebody else as well", volumes(projecting(vaults, tokenFor("vault.elsewhere.example", 3600))), onlyDeclared},
	})
}

// Here is no tenant that would declare anything: what is left holds wherever nobody does.
func TestNoTokenOfATenantIsForTheKubernetesAPI(t *testing.T) {
	inTenantNamespace(t)
	vaults := tokenFor("vault.example", 3600)
	testTokens(t, []tokenRow{
		{"for somebody", set("spec.hostname", "one"), ""},
		{"without an audience", volumes(projecting(vaults, tokenFor("", 3600))), notForTheAPI},
		{"for the API", volumes(projecting(tokenFor("https://kubernetes.default.svc.cluster.local", 3600))), notForTheAPI},
		{"for the API by its short name", volumes(projecting(vaults, tokenFor("kubernetes.default", 3600))), notForTheAPI},
		{"for the API by an older name", volumes(projecting(tokenFor("api", 3600))), notForTheAPI},
		{"for a name that only begins like it", volumes(projecting(tokenFor("kubernetes.example", 3600))), ""},
	})
}

func TestATenantWithoutAKeyServiceHasNoTokens(t *testing.T) {
	inTenantNamespace(t)
	tenant := changed(t, manifest(t, "chattenant"), set("metadata.name", "acme"),
		set("spec.endpoint.host", "plain.acme.example"), generation(2))
	ensureKnown(t, tenant)
	wantRefusal(t, creation(tokenPod(t, set("spec.hostname", "one")))(t.Context(), as(t, replicaSets)), onlyDeclared)
}

type tokenRow struct {
	name    string
	change  change
	message string
}

func testTokens(t *testing.T, rows []tokenRow) {
	t.Helper()
	for _, row := range rows {
		for _, user := range []string{operator, replicaSets, manager} {
			t.Run(row.name+" by "+user, func(t *testing.T) {
				err := creation(tokenPod(t, row.change))(t.Context(), as(t, user))
				if row.message != "" {
					wantRefusal(t, err, row.message)
				} else if err != nil {
					t.Errorf("want no refusal, got: %v", err)
				}
			})
		}
	}
}
