// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func vaultKey(generation int64) *v1alpha1.VaultTransit {
	return &v1alpha1.VaultTransit{
		Generation: generation, Address: "https://vault.keys.example:8200", MountPath: "transit", Key: "acme",
		Login:    v1alpha1.VaultLogin{MountPath: "kubernetes", Role: "chat-acme", Audience: "vault.keys.example"},
		CABundle: "-----BEGIN CERTIFICATE-----\nMIIBexample\n-----END CERTIFICATE-----\n",
	}
}

// vaultInput is a tenant whose only key ever is in Vault.
func vaultInput() Input {
	in := recipientInput()
	in.Tenant.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionVaultTransit, VaultTransit: vaultKey(1),
	}
	in.Egress.Recipients = []Recipient{{"keys-eu", []v1alpha1.RecipientEndpoint{{Host: "vault.keys.example", Port: 8200}}}}
	return in
}

// cloudInput is a tenant that moved twice: from a Secret to Vault, and on to a cloud.
func cloudInput() Input {
	in := recipientInput()
	in.KeyGeneration = 3
	in.Tenant.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionKMS,
		KMS: &v1alpha1.KMSKey{
			Generation: 3, URI: "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/0a000000-0000-4000-8000-000000000000",
			RoleARN: "arn:aws:iam::111122223333:role/chat-acme",
		},
		Previous: []v1alpha1.ExternalKey{{VaultTransit: vaultKey(2)}},
	}
	in.Egress.Recipients = []Recipient{{"cloud-eu", []v1alpha1.RecipientEndpoint{
		{Host: "kms.eu-central-1.amazonaws.com", Port: 443}, {Host: "sts.eu-central-1.amazonaws.com", Port: 443},
	}}}
	return in
}

// tokensOf are the audiences of the tokens in a pod's volumes, by file.
func tokensOf(t *testing.T, pod corev1.PodSpec) map[string]string {
	t.Helper()
	tokens := map[string]string{}
	for _, volume := range pod.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			token := source.ServiceAccountToken
			if token == nil || source.ConfigMap != nil || source.Secret != nil || source.DownwardAPI != nil {
				t.Fatalf("volume %s projects something else than a token", volume.Name)
			}
			if s := *token.ExpirationSeconds; s < 600 || s > 3600 {
				t.Errorf("a token is worth something for %d seconds", s)
			}
			tokens[token.Path] = token.Audience
		}
	}
	return tokens
}

// TestOnlyAChatServerWithAKeyServiceHasATokenAndItIsForThatServiceOnly holds every pod of every scenario to it.
func TestOnlyAChatServerWithAKeyServiceHasATokenAndItIsForThatServiceOnly(t *testing.T) {
	seen := 0
	forEachPod(t, func(t *testing.T, in Input, pod corev1.PodTemplateSpec) {
		want := map[string]string{}
		if pod.Spec.ServiceAccountName == componentChatServer {
			for _, key := range in.Tenant.Spec.Encryption.Externals() {
				want[fmt.Sprintf("token-%d", key.Generation())] = key.TokenAudience()
			}
		}
		got := tokensOf(t, pod.Spec)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
		for _, audience := range got {
			if audience == "" || strings.Contains(audience, "kubernetes") {
				t.Errorf("a token is for %q", audience)
			}
		}
		seen += len(got)
	})
	if seen < 3 {
		t.Errorf("%d tokens in all scenarios: the rule was not tested", seen)
	}
}

func configOf(t *testing.T, s scenario) (*serverconfig.ChatServerConfiguration, map[string]string) {
	t.Helper()
	files := find[corev1.ConfigMap](t, s, "ConfigMap", componentChatServer).Data
	config, err := serverconfig.Parse([]byte(files[chatServerConfig]))
	if err != nil {
		t.Fatal(err)
	}
	return config, files
}

func TestEachKeysFilesAreWhereTheChatServerLooksForThem(t *testing.T) {
	config, files := configOf(t, named(t, "key-moved-to-cloud"))
	vault := config.Sealing.Previous[0].VaultTransit
	if got := config.Sealing.KMS; got.Generation != 3 || vault.Generation != 2 ||
		config.Sealing.Previous[1].SecretKey.Generation != 1 || config.Egress == nil {
		t.Fatalf("the chat server gets %+v", config.Sealing)
	}
	name, found := strings.CutPrefix(vault.CAFile, chatServerConfigDir+"/")
	if !found || files[name] != vaultKey(2).CABundle {
		t.Errorf("the authority of Vault is not at %s", vault.CAFile)
	}
	pod := chatServerOf(t, "key-moved-to-cloud").Spec
	mounts := pod.Containers[0].VolumeMounts
	i := slices.IndexFunc(mounts, func(m corev1.VolumeMount) bool { return m.Name == keyTokenVolume })
	if i < 0 || !mounts[i].ReadOnly {
		t.Fatal("the tokens are not mounted, or can be written")
	}
	tokens := tokensOf(t, pod)
	for file, audience := range map[string]string{
		config.Sealing.KMS.Identity.TokenFile: "sts.amazonaws.com", vault.Auth.JWT.File: "vault.keys.example",
	} {
		if name, found := strings.CutPrefix(file, mounts[i].MountPath+"/"); !found || tokens[name] != audience {
			t.Errorf("%s is for %q, want %s", file, tokens[name], audience)
		}
	}
}

func TestAGooglesTokenIsForItsProvider(t *testing.T) {
	const provider = "//iam.googleapis.com/projects/4/locations/global/workloadIdentityPools/p/providers/i"
	in := vaultInput()
	in.Tenant.Spec.Encryption = &v1alpha1.Encryption{Provider: v1alpha1.EncryptionKMS, KMS: &v1alpha1.KMSKey{
		Generation: 1, URI: "gcp-kms://projects/p/locations/eu/keyRings/r/cryptoKeys/k", WorkloadIdentityProvider: provider,
		ServiceAccount: "chat-acme@p.iam.gserviceaccount.com",
	}}
	s := scenario{"google", in, everything(in)}
	config, _ := configOf(t, s)
	if config.Sealing.KMS.Identity.Audience != provider || config.Sealing.KMS.Identity.ServiceAccount == "" {
		t.Errorf("the chat server goes by %+v", config.Sealing.KMS.Identity)
	}
	if got := externalKeys(in)[0].TokenAudience(); got != "https:"+provider {
		t.Errorf("its token is for %s", got)
	}
}

func TestAKeyThatIsNotReadyYetIsNotGivenToTheChatServer(t *testing.T) {
	in := cloudInput()
	in.KeyGeneration = 2
	s := scenario{"held back", in, everything(in)}
	config, _ := configOf(t, s)
	if config.Sealing.KMS != nil || config.Sealing.VaultTransit == nil || len(config.Sealing.Previous) != 1 {
		t.Errorf("the chat server gets %+v", config.Sealing)
	}
}

func TestNoChatServerStartsWithoutAWayToItsKey(t *testing.T) {
	in := vaultInput()
	in.Egress = nil
	if got := ChatServer(in); got != nil {
		t.Errorf("%d objects of a chat server that could not reach its key", len(got))
	}
	moved := cloudInput()
	moved.Tenant.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionSecret, Secret: &v1alpha1.SecretKey{Generation: 3},
		Previous: []v1alpha1.ExternalKey{{VaultTransit: vaultKey(2)}},
	}
	moved.Egress = nil
	if got := ChatServer(moved); got == nil {
		t.Error("a key service of former times keeps a chat server from starting")
	}
}

func TestTheHelperHasRoomThatTheChatServerDoesNotTake(t *testing.T) {
	without, with := vaultInput(), cloudInput()
	for _, class := range []*v1alpha1.Resources{nil, resources("0.1", "64Mi", "1", "256Mi")} {
		without.Class.Spec.ChatServer.Resources, with.Class.Spec.ChatServer.Resources = class, class
		before, after := chatServerSizes(without), chatServerSizes(with)
		room := after.limits.Memory().DeepCopy()
		room.Sub(*before.limits.Memory())
		if room.Cmp(resource.MustParse("32Mi")) != 0 {
			t.Errorf("the helper has %s", room.String())
		}
		if before.goMemoryLimit() != after.without(helperMemory(with)).goMemoryLimit() {
			t.Error("the chat server takes the helper's room")
		}
	}
	limit := chatServerOf(t, "key-moved-to-cloud").Spec.Containers[0].Env[0].Value
	if other := chatServerOf(t, "key-in-vault").Spec.Containers[0].Env[0].Value; limit != other {
		t.Errorf("GOMEMLIMIT is %s with a helper and %s without", limit, other)
	}
}

func TestATrustDocumentSaysWhoHoldsTheKey(t *testing.T) {
	in := cloudInput()
	facts := trustFacts(in)
	facts.KeyHosts, facts.KeyHeldBy = []string{"vault.keys.example:8200"}, []string{"keys-eu"}
	for active, want := range map[int64]string{0: "KMS", 1: "Secret", 2: "VaultTransit", 3: "KMS"} {
		facts.Status.Encryption.ActiveGeneration = active
		got := trustDocument(in, facts).Encryption
		if got.KeyProvider != want || got.KeyGeneration != active || got.KeyService.HeldBy[0] != "keys-eu" {
			t.Errorf("with generation %d it says %+v", active, got)
		}
	}
}
