// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// keyAuthority is a certificate of nobody's.
const keyAuthority = `-----BEGIN CERTIFICATE-----
MIIBRTCB7aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB2V4YW1wbGUw
IBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBIxEDAOBgNVBAMTB2V4
YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATdsLRp+R2wKBSz4hG2h5Z7
gkDJCo7RSgno1p8PlTJWKq7zTTtkNhjLtmJZK2I01iACV+cKeTLpBMwLlfjefFkC
ozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBR5as9zxymumFOho6lBnVU7
TOrVhzAKBggqhkjOPQQDAgNHADBEAiADa4Ot9ESg3AZuwk3Ln14sJmZ2L1lOB+F5
EJj5BGHfswIgeG7v4Tolk2QO/NMIxsCz8FiCXp0ctdGrMcRgKSTe7tk=
-----END CERTIFICATE-----
`

// transitOf is a key that the recipient keeps.
func transitOf(keeper string, generation int64) *v1alpha1.VaultTransit {
	return &v1alpha1.VaultTransit{
		Generation: generation, Address: "https://" + keeper + ".example.test:465", MountPath: "transit", Key: keeper,
		Login:    v1alpha1.VaultLogin{MountPath: "jwt", Role: "chat", Audience: "vault.example.test"},
		CABundle: keyAuthority,
	}
}

func inVault(keeper string, generation int64) *v1alpha1.Encryption {
	return &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionVaultTransit, VaultTransit: transitOf(keeper, generation),
	}
}

func keysGiven(t *testing.T, tenant string) (sealing serverconfig.Sealing, deployment *appsv1.Deployment) {
	t.Helper()
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: naming.ChatServer}
	files, deployment := &corev1.ConfigMap{}, &appsv1.Deployment{}
	if err := admin.Get(t.Context(), key, files); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), key, deployment); err != nil {
		t.Fatal(err)
	}
	config, err := serverconfig.Parse([]byte(files.Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return config.Sealing, deployment
}

func tokenAudiences(d *appsv1.Deployment) (audiences []string) {
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			audiences = append(audiences, source.ServiceAccountToken.Audience)
		}
	}
	return audiences
}

// wantUncovered waits until a condition is False because no recipient covers a host.
func wantUncovered(t *testing.T, tenant, condition string) *metav1.Condition {
	t.Helper()
	var found *metav1.Condition
	eventually(t, condition+" to miss a recipient", func() string {
		found = meta.FindStatusCondition(liveTenant(t, tenant).Status.Conditions, condition)
		if found == nil || found.Status != metav1.ConditionFalse || found.Reason != v1alpha1.ReasonRecipientNotDeclared {
			return story(t, tenant)
		}
		return ""
	})
	return found
}

// reportedChatServer reports the chat server as running, as often as it is changed.
func reportedChatServer(t *testing.T, tenant string) {
	t.Helper()
	eventually(t, "the chat server to run", func() string {
		if problem := reportChatServer(t, tenant); problem != "" {
			return problem
		}
		live := liveTenant(t, tenant)
		if !meta.IsStatusConditionTrue(live.Status.Conditions, v1alpha1.ConditionChatServerReady) ||
			live.Status.Encryption.ActiveGeneration != live.Status.Encryption.KeyGeneration {
			return story(t, tenant)
		}
		return ""
	})
}

func wantMessage(t *testing.T, c *metav1.Condition, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(c.Message, part) {
			t.Errorf("%s says %q, want %q in it", c.Type, c.Message, part)
		}
	}
}

// TestAKeyServiceIsUsedOnlyWhileARecipientCoversIt follows a tenant whose key was never in a Secret.
func TestAKeyServiceIsUsedOnlyWhileARecipientCoversIt(t *testing.T) {
	const tenant, keeper = "sealed", "keeper-of-sealed"
	sendingPlatform(t)
	startOperator(t)
	created := sendingTenant(tenant)
	created.Spec.Encryption = inVault(keeper, 1)
	create(t, created)
	c := wantStalled(t, tenant, v1alpha1.ReasonRecipientNotDeclared)
	wantMessage(t, c, "spec.encryption.vaultTransit.address", keeper+".example.test:465", "spec.subProcessors.use")
	wantUncovered(t, tenant, v1alpha1.ConditionEncryptionReady)
	namespace := naming.Namespace(tenant)
	for _, o := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}} {
		o.SetNamespace(namespace)
		o.SetName(naming.ChatServer)
		if _, ok := o.(*appsv1.StatefulSet); ok {
			o.SetName(naming.Postgres)
		}
		mustNotExist(t, o)
	}

	// Declared for a day to come it is waited for; nobody has to act.
	create(t, recipient(keeper, "2026-01-01", "2099-01-01", "DE"))
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Use = []v1alpha1.SubProcessorUse{{Name: keeper}}
	})
	eventually(t, "the day to be named", func() string {
		live := liveTenant(t, tenant)
		ready := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionEncryptionReady)
		stalled := meta.IsStatusConditionTrue(live.Status.Conditions, v1alpha1.ConditionStalled)
		if !strings.Contains(ready.Message, "on 2099-01-01") || stalled {
			return fmt.Sprintf("stalled %v: %s", stalled, ready.Message)
		}
		return ""
	})
	if err := admin.Delete(t.Context(), recipient(keeper, "", "")); err != nil {
		t.Fatal(err)
	}
	create(t, recipient(keeper, "2026-01-01", "2026-01-01", "DE"))
	wantOpenAfterReports(t, tenant, keeper)
	wantMessage(t, wantCondition(t, tenant, v1alpha1.ConditionEncryptionReady, v1alpha1.ReasonKeyDeclared), keeper)
	sealing, before := keysGiven(t, tenant)
	if sealing.VaultTransit == nil || len(sealing.Previous) != 0 {
		t.Errorf("the chat server gets the keys %+v", sealing)
	}
	if got := tokenAudiences(before); len(got) != 1 || got[0] != "vault.example.test" {
		t.Errorf("its tokens are for %v", got)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key-encryption-key"}}
	mustNotExist(t, secret)
	objectedKeeper(t, tenant, keeper, before.Generation)
}

// objectedKeeper closes the way to the key service: the chat server is left alone, and the administrator is told.
func objectedKeeper(t *testing.T, tenant, keeper string, generation int64) {
	t.Helper()
	reportedChatServer(t, tenant)
	wantKey(t, tenant, v1alpha1.EncryptionVaultTransit, 1, 1)
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.SubProcessors.Use = nil })
	wantOpen(t, tenant)
	wantStalled(t, tenant, v1alpha1.ReasonRecipientNotDeclared)
	c := wantUncovered(t, tenant, v1alpha1.ConditionEncryptionReady)
	wantMessage(t, c, keeper+".example.test:465", "at most a day")
	wantUncovered(t, tenant, v1alpha1.ConditionSubProcessorsEnforced)
	wantState(t, tenant, keeper, v1alpha1.RecipientRetired, v1alpha1.RecipientNoLongerUsed)
	if _, after := keysGiven(t, tenant); after.Generation != generation {
		t.Error("the chat server was restarted, and could not have started again")
	}
}

// TestATenantMovesToAKeyServiceAndBack rotates from a Secret to Vault and from there to a Secret.
func TestATenantMovesToAKeyServiceAndBack(t *testing.T) {
	const tenant, keeper = "moving", "keeper-of-moving"
	sendingPlatform(t)
	startOperator(t)
	create(t, sendingTenant(tenant))
	report(t, tenant)
	wantCondition(t, tenant, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	_, before := keysGiven(t, tenant)

	// Nothing moves while the way there is closed.
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.Encryption = inVault(keeper, 2) })
	wantStalled(t, tenant, v1alpha1.ReasonRecipientNotDeclared)
	wantUncovered(t, tenant, v1alpha1.ConditionEncryptionReady)
	wantKey(t, tenant, v1alpha1.EncryptionSecret, 1, 1)
	if sealing, after := keysGiven(t, tenant); after.Generation != before.Generation || sealing.SecretKey == nil {
		t.Errorf("the chat server was changed to %+v", sealing)
	}
	create(t, recipient(keeper, "2026-01-01", "2026-01-01", "DE"))
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Use = []v1alpha1.SubProcessorUse{{Name: keeper}}
	})
	wantOpenAfterReports(t, tenant, keeper)
	reportedChatServer(t, tenant)
	wantKey(t, tenant, v1alpha1.EncryptionVaultTransit, 2, 2)
	sealing, _ := keysGiven(t, tenant)
	if sealing.VaultTransit == nil || len(sealing.Previous) != 1 || sealing.Previous[0].SecretKey == nil {
		t.Errorf("the chat server gets the keys %+v", sealing)
	}

	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.Encryption = &v1alpha1.Encryption{
			Provider: v1alpha1.EncryptionSecret, Secret: &v1alpha1.SecretKey{Generation: 3},
			Previous: []v1alpha1.ExternalKey{{VaultTransit: transitOf(keeper, 2)}},
		}
	})
	wantKey(t, tenant, v1alpha1.EncryptionSecret, 3, 2)
	// Until the move is done, the keysets open with the key in Vault only.
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) { s.SubProcessors.Use = nil })
	c := wantUncovered(t, tenant, v1alpha1.ConditionSubProcessorsEnforced)
	wantMessage(t, c, "spec.encryption.previous[].vaultTransit.address")
	reportedChatServer(t, tenant)
	wantKey(t, tenant, v1alpha1.EncryptionSecret, 3, 3)
	wantCondition(t, tenant, v1alpha1.ConditionSubProcessorsEnforced, v1alpha1.ReasonNothingReachable)
	// A further key was made, and none for the generation that Vault holds.
	for name, exists := range map[string]bool{
		"key-encryption-key": true, "key-encryption-key-2": false, "key-encryption-key-3": true,
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(tenant), Name: name}}
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); (err == nil) != exists {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func wantKey(t *testing.T, tenant string, provider v1alpha1.EncryptionProvider, newest, active int64) {
	t.Helper()
	eventually(t, "the status to follow the keys", func() string {
		got := liveTenant(t, tenant).Status.Encryption
		if got == nil || got.Provider != provider || got.KeyGeneration != newest || got.ActiveGeneration != active {
			return fmt.Sprintf("status.encryption is %+v; %s", got, story(t, tenant))
		}
		return ""
	})
}

func TestAKeyThatCannotBeUsedChangesNothing(t *testing.T) {
	const tenant = "mistaken"
	sendingPlatform(t)
	startOperator(t)
	broken := sendingTenant(tenant)
	broken.Spec.Encryption = inVault("anybody", 1)
	broken.Spec.Encryption.VaultTransit.CABundle = strings.Replace(keyAuthority, "MII", "MIX", 1)
	create(t, broken)
	wantMessage(t, wantStalled(t, tenant, v1alpha1.ReasonKeyInvalid), "caBundle", "generation 1")
}
