// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/e2e/podnet"
	"github.com/chattenant/chattenant/test/vaultserver"
)

// The key service of the test. The outside's name server leads every name below "example" to one of its servers.
const (
	keysHost = "keys.example"
	keysPort = 8200
)

// TestATenantKeepsItsKeyInAVaultOutside: the chat server's pod logs in with its token, by way of the egress gateway,
// and there is no key in the cluster. An objection to the key service ends that, and is said.
func TestATenantKeepsItsKeyInAVaultOutside(t *testing.T) {
	t.Parallel()
	tenant := newTenant("sealed")
	subject := "system:serviceaccount:" + naming.Namespace(tenant.Name) + ":" + naming.ChatServer
	authority := runKeyService(t, tenant.Name, subject)
	temporarily(t, recipientAt(keysHost, keysPort))
	tenant.Spec.SubProcessors = using(keysHost)
	tenant.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionVaultTransit,
		VaultTransit: &v1alpha1.VaultTransit{
			Generation: 1, Address: fmt.Sprintf("https://%s:%d", keysHost, keysPort), MountPath: "transit", Key: tenant.Name,
			Login:    v1alpha1.VaultLogin{MountPath: "kubernetes", Role: tenant.Name, Audience: keysHost},
			CABundle: authority,
		},
	}
	createReady(t, tenant)
	awaitCondition(t, tenant.Name, v1alpha1.ConditionEncryptionReady, metav1.ConditionTrue, v1alpha1.ReasonKeyDeclared)
	mustHaveNoKey(t, tenant.Name)
	mustHaveTokensForKeysOnly(t, tenant.Name)

	changeTenant(t, tenant.Name, func(tenant *v1alpha1.ChatTenant) {
		tenant.Spec.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: recipientName(keysHost)}}
	})
	awaitCondition(t, tenant.Name, v1alpha1.ConditionEncryptionReady, metav1.ConditionFalse,
		v1alpha1.ReasonRecipientNotDeclared)
	mustStayReady(t, tenant.Name)
}

// runKeyService runs a Vault in the outside, that takes the cluster's tokens of a subject for a key of a name. It
// returns who certifies it.
func runKeyService(t *testing.T, key, subject string) (authority string) {
	t.Helper()
	address := outsideFacts(t).Servers[0].Address
	beyond, err := podnet.OfOutside()
	if err != nil {
		t.Fatalf("enter the outside: %v", err)
	}
	t.Cleanup(func() { _ = beyond.Close() })
	// Where the next run finds it, should this one be killed.
	program := filepath.Join(ownFolder, "vault")
	if err := os.Rename(vaultserver.Build(t), program); err != nil {
		t.Fatal(err)
	}
	ca := certtest.NewCA(t)
	server := vaultserver.Run(t, vaultserver.Options{
		Program: program, CA: ca, Hosts: []string{keysHost}, Address: net.JoinHostPort(address, fmt.Sprint(keysPort)),
		Start: beyond.Start, Dial: beyond.DialContext,
	})
	server.Admit(t, key, subject, keysHost, issuersOfTokens(t)...)
	pem, err := os.ReadFile(ca.WriteCert(t, filepath.Join(t.TempDir(), "ca.crt")))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem)
}

// issuersOfTokens are the keys with which the cluster signs its accounts' tokens, as PEM.
func issuersOfTokens(t *testing.T) (keys []string) {
	t.Helper()
	published, err := live.kube.CoreV1().RESTClient().Get().AbsPath("/openid/v1/jwks").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(published, &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	}
	return keys
}

func mustHaveNoKey(t *testing.T, tenant string) {
	t.Helper()
	key := &corev1.Secret{}
	err := live.Get(t.Context(), client.ObjectKey{Namespace: naming.Namespace(tenant), Name: "key-encryption-key"}, key)
	if !apierrors.IsNotFound(err) {
		t.Errorf("there is a key in the tenant's namespace: %v", err)
	}
}

// mustHaveTokensForKeysOnly holds the pods of a tenant to what they may show, and to whom.
func mustHaveTokensForKeysOnly(t *testing.T, tenant string) {
	t.Helper()
	pods := &corev1.PodList{}
	if err := live.List(t.Context(), pods, client.InNamespace(naming.Namespace(tenant))); err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range pods.Items {
		for _, volume := range pods.Items[i].Spec.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				token := source.ServiceAccountToken
				if token == nil || token.Audience != keysHost || pods.Items[i].Labels[v1alpha1.LabelName] != naming.ChatServer {
					t.Errorf("pod %s has %+v", pods.Items[i].Name, source)
				}
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no chat server has a token for the key service")
	}
}

// mustStayReady: chat servers go on with the keys that they hold. One that missed its key service would be found out by
// its probe, twice, within the pause, and not be ready again; a busy machine's may miss a probe.
func mustStayReady(t *testing.T, tenant string) {
	t.Helper()
	pause(t, 15*time.Second)
	eventually(t, patience, "the chat servers are still ready", func(context.Context) error {
		for _, pod := range tenantPods(t, tenant, naming.ChatServer) {
			if err := podReady(&pod); err != nil {
				return err
			}
		}
		return nil
	})
}
