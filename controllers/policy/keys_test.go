// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/pem"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// authority is a certificate of nobody's.
const authority = `-----BEGIN CERTIFICATE-----
MIIBRTCB7aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB2V4YW1wbGUw
IBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBIxEDAOBgNVBAMTB2V4
YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATdsLRp+R2wKBSz4hG2h5Z7
gkDJCo7RSgno1p8PlTJWKq7zTTtkNhjLtmJZK2I01iACV+cKeTLpBMwLlfjefFkC
ozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBR5as9zxymumFOho6lBnVU7
TOrVhzAKBggqhkjOPQQDAgNHADBEAiADa4Ot9ESg3AZuwk3Ln14sJmZ2L1lOB+F5
EJj5BGHfswIgeG7v4Tolk2QO/NMIxsCz8FiCXp0ctdGrMcRgKSTe7tk=
-----END CERTIFICATE-----
`

const (
	awsURI    = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/0a000000-0000-4000-8000-000000000000"
	googleURI = "gcp-kms://projects/p/locations/eu/keyRings/r/cryptoKeys/k"
	provider  = "//iam.googleapis.com/projects/4/locations/global/workloadIdentityPools/p/providers/i"
)

func transitKey(change func(*v1alpha1.VaultTransit)) *v1alpha1.Encryption {
	key := &v1alpha1.VaultTransit{
		Generation: 1, Address: "https://vault.example:8200", MountPath: "transit", Key: "acme", CABundle: authority,
		Login: v1alpha1.VaultLogin{MountPath: "jwt", Role: "chat-acme", Audience: "vault"},
	}
	change(key)
	return &v1alpha1.Encryption{Provider: v1alpha1.EncryptionVaultTransit, VaultTransit: key}
}

func cloudKey(key v1alpha1.KMSKey) *v1alpha1.Encryption {
	key.Generation = 1
	return &v1alpha1.Encryption{Provider: v1alpha1.EncryptionKMS, KMS: &key}
}

func TestAKeyThatTheChatServerCouldNotUseIsNamed(t *testing.T) {
	bundle := func(text string) *v1alpha1.Encryption {
		return transitKey(func(k *v1alpha1.VaultTransit) { k.CABundle = text })
	}
	notACertificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no ASN.1")}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte("curve")}))
	for name, test := range map[string]struct {
		encryption *v1alpha1.Encryption
		want       string
	}{
		"a Secret":             {nil, ""},
		"in Vault":             {transitKey(func(*v1alpha1.VaultTransit) {}), ""},
		"in AWS":               {cloudKey(v1alpha1.KMSKey{URI: awsURI, RoleARN: "arn:aws:iam::111122223333:role/a"}), ""},
		"in Google":            {cloudKey(v1alpha1.KMSKey{URI: googleURI, WorkloadIdentityProvider: provider}), ""},
		"two authorities":      {bundle(authority + "\n" + authority), ""},
		"no PEM":               {bundle("-----BEGIN CERTIFICATE-----\n"), "caBundle: something in it is no PEM"},
		"text after it":        {bundle(authority + "and more"), "caBundle: something in it is no PEM"},
		"something else":       {bundle(authority + key), "caBundle: block 2 is no certificate"},
		"no certificate in it": {bundle(notACertificate), "block 1 is no certificate that can be read"},
		"a port that is none": {
			transitKey(func(k *v1alpha1.VaultTransit) { k.Address = "https://vault.example:70000" }), "70000 is no port",
		},
		"the API's audience": {
			transitKey(func(k *v1alpha1.VaultTransit) { k.Login.Audience = "https://issuer.example" }), "Kubernetes API's own",
		},
		"no role":     {cloudKey(v1alpha1.KMSKey{URI: awsURI}), "roleARN"},
		"no provider": {cloudKey(v1alpha1.KMSKey{URI: googleURI}), "workloadIdentityPools"},
		"no key":      {cloudKey(v1alpha1.KMSKey{URI: "aws-kms://alias/mine"}), "kms.uri"},
		"an earlier one": {&v1alpha1.Encryption{
			Provider: v1alpha1.EncryptionSecret, Secret: &v1alpha1.SecretKey{Generation: 2},
			Previous: []v1alpha1.ExternalKey{{KMS: &v1alpha1.KMSKey{Generation: 1, URI: awsURI}}},
		}, "generation 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckKeys(test.encryption, []string{"https://issuer.example"})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestARotationNeedsTheKeyOfBeforeUntilItIsDone(t *testing.T) {
	tenant := &v1alpha1.ChatTenant{Spec: v1alpha1.ChatTenantSpec{Encryption: &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionKMS,
		KMS:      &v1alpha1.KMSKey{Generation: 3, URI: googleURI, WorkloadIdentityProvider: provider},
		Previous: []v1alpha1.ExternalKey{{VaultTransit: &v1alpha1.VaultTransit{
			Generation: 2, Address: "https://vault.example:8200",
		}}},
	}}}
	google := []string{"spec.encryption.kms.uri cloudkms.googleapis.com", "spec.encryption.kms.uri sts.googleapis.com"}
	vault := "spec.encryption.previous[].vaultTransit.address vault.example"
	for active, want := range map[int64][]string{0: google, 1: google, 2: append(google[:2:2], vault), 3: google} {
		tenant.Status.Encryption = &v1alpha1.EncryptionStatus{ActiveGeneration: active}
		needs, err := Needs(tenant)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range needs {
			got = append(got, n.Field+" "+n.Endpoint.Host)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with generation %d active (-want +got):\n%s", active, diff)
		}
	}
}

func TestGooglesCredentialsAreNeededByWhoeverActsAsAServiceAccount(t *testing.T) {
	for account, want := range map[string]int{"": 2, "chat@p.iam.gserviceaccount.com": 3} {
		needs, err := KeyNeeds(cloudKey(v1alpha1.KMSKey{URI: googleURI, ServiceAccount: account}), 1)
		if err != nil || len(needs) != want {
			t.Errorf("as %q: %v, %v, want %d hosts", account, needs, err, want)
		}
	}
}

func TestWhoHoldsAKeyIsKnownWhenItIsClosedToo(t *testing.T) {
	needs, err := KeyNeeds(transitKey(func(*v1alpha1.VaultTransit) {}), 1)
	if err != nil {
		t.Fatal(err)
	}
	vault := []v1alpha1.RecipientEndpoint{{Host: "vault.example", Port: 8200}}
	got := Covering(needs, []v1alpha1.SubProcessorStatus{
		{Name: "keys", State: v1alpha1.RecipientObjected, Endpoints: vault},
		{Name: "mail", State: v1alpha1.RecipientEffective,
			Endpoints: []v1alpha1.RecipientEndpoint{{Host: "vault.example", Port: 443}}},
	})
	if diff := cmp.Diff([]string{"keys"}, got); diff != "" {
		t.Errorf("held by (-want +got):\n%s", diff)
	}
}
