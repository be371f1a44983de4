// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/naming"
)

const (
	certEgress       = naming.Egress
	certEgressClient = naming.EgressClient
)

// EgressSecretNames are the Secrets with the certificates of a gateway and its client.
func EgressSecretNames() []string { return []string{certEgress, certEgressClient} }

// egressCertificates let the chat server and the gateway know each other. Both are the tenant's own: the gateway of one
// tenant serves no client of another.
func egressCertificates(in Input) []Object {
	if in.Egress == nil {
		return nil
	}
	server := internalSpec(in, certEgress).
		WithDNSNames(naming.ServiceHost(in.Tenant.Name, naming.Egress)).
		WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth)
	client := internalSpec(in, certEgressClient).
		WithCommonName(naming.EgressClientName).
		WithUsages(certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageClientAuth)
	return []Object{certificate(in, certEgress, server), certificate(in, certEgressClient, client)}
}

// egressClientDir is where the chat server's pod has what it shows to the gateway.
const egressClientDir = "/var/run/chattenant/egress-client"

func egressClientVolumes(in Input) []*corev1ac.VolumeApplyConfiguration {
	if in.Egress == nil {
		return nil
	}
	return []*corev1ac.VolumeApplyConfiguration{secretVolume("egress-client", certEgressClient)}
}

func egressClientMounts(in Input) []*corev1ac.VolumeMountApplyConfiguration {
	if in.Egress == nil {
		return nil
	}
	return []*corev1ac.VolumeMountApplyConfiguration{readOnly("egress-client", egressClientDir)}
}
