// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagerv1ac "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/certmanager/v1"
	certmanagermetav1ac "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/naming"
)

// Names of certificates; the Secret that cert-manager puts one into has the same name.
const (
	certInternalCA     = "internal-ca"
	certPostgresServer = "postgres-server"
	certPostgresClient = "postgres-client"
	certEndpoint       = "endpoint"

	issuerSelfSigned = "selfsigned"
	issuerInternal   = "internal-ca"

	issuerGroup = "cert-manager.io"
)

const (
	day = 24 * time.Hour
	// The internal certificates are short-lived and renewed when a third is left, so a month of trouble goes unnoticed.
	internalLifetime    = 90 * day
	internalRenewBefore = 30 * day
	// The internal authority outlives what it signs by far; it is renewed a year ahead, with the same key.
	authorityLifetime    = 3650 * day
	authorityRenewBefore = 365 * day
)

// TLSSecretNames are the Secrets that cert-manager makes from Certificates. cert-manager leaves them behind when a
// Certificate goes, so teardown deletes them by name; the operator cannot list Secrets.
func TLSSecretNames() []string {
	return append([]string{certInternalCA, certPostgresServer, certPostgresClient, certEndpoint}, EgressSecretNames()...)
}

// Certificates are the tenant's own certification authority with what it signs, and the public certificate of its
// endpoint. Each tenant has its own authority, so a certificate of one opens nothing of another.
func Certificates(in Input) []Object {
	return append([]Object{
		issuer(in, issuerSelfSigned, certmanagerv1ac.IssuerSpec().WithSelfSigned(certmanagerv1ac.SelfSignedIssuer())),
		authority(in),
		issuer(in, issuerInternal, certmanagerv1ac.IssuerSpec().
			WithCA(certmanagerv1ac.CAIssuer().WithSecretName(certInternalCA))),
		postgresServer(in),
		postgresClient(in),
		endpoint(in),
	}, egressCertificates(in)...)
}

func issuer(
	in Input, name string, spec *certmanagerv1ac.IssuerSpecApplyConfiguration,
) *certmanagerv1ac.IssuerApplyConfiguration {
	return own(in, componentCertificates, certmanagerv1ac.Issuer(name, in.namespace())).WithSpec(spec)
}

// authority keeps its key when it is renewed: chat server and database fetch their certificates one after the other,
// and each must accept the other's in between.
func authority(in Input) Object {
	spec := certificateSpec(in, certInternalCA, certmanagerv1.RotationPolicyNever).
		WithIsCA(true).
		WithCommonName("internal-ca."+in.namespace()).
		WithUsages(certmanagerv1.UsageCertSign, certmanagerv1.UsageCRLSign).
		WithDuration(metav1.Duration{Duration: authorityLifetime}).
		WithRenewBefore(metav1.Duration{Duration: authorityRenewBefore}).
		WithIssuerRef(issuerRef(certmanagerv1.IssuerKind, issuerSelfSigned))
	return certificate(in, certInternalCA, spec)
}

func postgresServer(in Input) Object {
	spec := internalSpec(in, certPostgresServer).
		WithDNSNames(naming.ServiceHost(in.Tenant.Name, naming.Postgres)).
		WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth)
	return certificate(in, certPostgresServer, spec)
}

// postgresClient is the chat server's only way into the database: its common name is the role.
func postgresClient(in Input) Object {
	spec := internalSpec(in, certPostgresClient).
		WithCommonName(naming.DatabaseRole).
		WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageClientAuth)
	return certificate(in, certPostgresClient, spec)
}

// endpoint is what browsers see. Its lifetime is the issuer's business.
func endpoint(in Input) Object {
	ref := in.Class.Spec.IssuerRef
	spec := certificateSpec(in, certEndpoint, certmanagerv1.RotationPolicyAlways).
		WithDNSNames(in.Tenant.Spec.Endpoint.Host).
		WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth).
		WithIssuerRef(issuerRef(string(ref.Kind), ref.Name))
	return certificate(in, certEndpoint, spec)
}

func internalSpec(in Input, secret string) *certmanagerv1ac.CertificateSpecApplyConfiguration {
	return certificateSpec(in, secret, certmanagerv1.RotationPolicyAlways).
		WithDuration(metav1.Duration{Duration: internalLifetime}).
		WithRenewBefore(metav1.Duration{Duration: internalRenewBefore}).
		WithIssuerRef(issuerRef(certmanagerv1.IssuerKind, issuerInternal))
}

// certificateSpec labels the Secret too: admission tells the tenant's own Secrets from foreign ones by their labels.
func certificateSpec(
	in Input, secret string, rotation certmanagerv1.PrivateKeyRotationPolicy,
) *certmanagerv1ac.CertificateSpecApplyConfiguration {
	return certmanagerv1ac.CertificateSpec().
		WithSecretName(secret).
		WithSecretTemplate(certmanagerv1ac.CertificateSecretTemplate().
			WithLabels(labels(in, componentCertificates))).
		WithPrivateKey(certmanagerv1ac.CertificatePrivateKey().
			WithAlgorithm(certmanagerv1.ECDSAKeyAlgorithm).
			WithSize(256).
			WithEncoding(certmanagerv1.PKCS8).
			WithRotationPolicy(rotation)).
		WithRevisionHistoryLimit(1)
}

func certificate(in Input, name string, spec *certmanagerv1ac.CertificateSpecApplyConfiguration) Object {
	return own(in, componentCertificates, certmanagerv1ac.Certificate(name, in.namespace())).WithSpec(spec)
}

func issuerRef(kind, name string) *certmanagermetav1ac.IssuerReferenceApplyConfiguration {
	return certmanagermetav1ac.IssuerReference().WithGroup(issuerGroup).WithKind(kind).WithName(name)
}
