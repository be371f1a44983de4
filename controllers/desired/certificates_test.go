// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/chattenant/chattenant/api/naming"
)

func TestEveryPrivateKeyIsECDSAAndEveryUsageIsNamed(t *testing.T) {
	for _, s := range everyScenario() {
		for _, c := range certificatesOf(t, s) {
			key := c.Spec.PrivateKey
			if key.Algorithm != certmanagerv1.ECDSAKeyAlgorithm || key.Size != 256 {
				t.Errorf("%s: %s: %s %d", s.name, c.Name, key.Algorithm, key.Size)
			}
			if len(c.Spec.Usages) == 0 {
				t.Errorf("%s: %s leaves its usages to the issuer", s.name, c.Name)
			}
			// RFC 5280 bounds a common name, and cert-manager refuses a longer one.
			if len(c.Spec.CommonName) > 64 {
				t.Errorf("%s: %s: common name %s has %d characters", s.name, c.Name, c.Spec.CommonName, len(c.Spec.CommonName))
			}
		}
	}
}

func TestEveryKeyRotatesButTheAuthoritys(t *testing.T) {
	for _, c := range certificatesOf(t, named(t, "full-us")) {
		want := certmanagerv1.RotationPolicyAlways
		if c.Spec.IsCA {
			want = certmanagerv1.RotationPolicyNever
		}
		if got := c.Spec.PrivateKey.RotationPolicy; got != want {
			t.Errorf("%s: rotation policy %s, want %s", c.Name, got, want)
		}
	}
}

func TestNoCertificateServesTwoPurposes(t *testing.T) {
	for _, c := range certificatesOf(t, named(t, "full-us")) {
		purposes := 0
		for _, usage := range []certmanagerv1.KeyUsage{
			certmanagerv1.UsageServerAuth, certmanagerv1.UsageClientAuth, certmanagerv1.UsageCertSign,
		} {
			if slices.Contains(c.Spec.Usages, usage) {
				purposes++
			}
		}
		if purposes != 1 || c.Spec.IsCA != slices.Contains(c.Spec.Usages, certmanagerv1.UsageCertSign) {
			t.Errorf("%s: usages %v, authority %t", c.Name, c.Spec.Usages, c.Spec.IsCA)
		}
	}
}

func TestInternalCertificatesAreSignedByTheTenantsOwnAuthority(t *testing.T) {
	for _, name := range []string{"postgres-server", "postgres-client"} {
		c := find[certmanagerv1.Certificate](t, named(t, "full-us"), "Certificate", name)
		issuer := find[certmanagerv1.Issuer](t, named(t, "full-us"), c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Name)
		authority := find[certmanagerv1.Certificate](t, named(t, "full-us"), "Certificate", "internal-ca")
		if issuer.Spec.CA == nil || issuer.Spec.CA.SecretName != authority.Spec.SecretName {
			t.Errorf("%s is signed by %+v", name, issuer.Spec)
		}
		if c.Spec.Duration.Duration > 90*24*time.Hour || c.Spec.RenewBefore.Duration > c.Spec.Duration.Duration/2 {
			t.Errorf("%s: lives %s, renewed %s before its end", name, c.Spec.Duration, c.Spec.RenewBefore)
		}
	}
}

func TestCertificatesCarryTheNamesThatAreVerified(t *testing.T) {
	s := named(t, "full-us")
	server := find[certmanagerv1.Certificate](t, s, "Certificate", "postgres-server")
	if want := []string{serverConfigOf(t, s.name).Database.Host}; !slices.Equal(server.Spec.DNSNames, want) {
		t.Errorf("database: %v, want %v", server.Spec.DNSNames, want)
	}
	client := find[certmanagerv1.Certificate](t, s, "Certificate", "postgres-client")
	if client.Spec.CommonName != naming.DatabaseRole {
		t.Errorf("client: common name %s, want %s", client.Spec.CommonName, naming.DatabaseRole)
	}
	endpoint := find[certmanagerv1.Certificate](t, s, "Certificate", "endpoint")
	if want := []string{s.in.Tenant.Spec.Endpoint.Host}; !slices.Equal(endpoint.Spec.DNSNames, want) {
		t.Errorf("endpoint: %v, want %v", endpoint.Spec.DNSNames, want)
	}
	if ref := endpoint.Spec.IssuerRef; ref.Kind != "ClusterIssuer" || ref.Name != s.in.Class.Spec.IssuerRef.Name {
		t.Errorf("endpoint: issued by %+v", ref)
	}
}

func certificatesOf(t *testing.T, s scenario) []certmanagerv1.Certificate {
	t.Helper()
	var certificates []certmanagerv1.Certificate
	for _, object := range s.objects(t) {
		if object.GetKind() == "Certificate" {
			certificates = append(certificates, decode[certmanagerv1.Certificate](t, object.Object))
		}
	}
	return certificates
}
