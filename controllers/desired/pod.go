// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/isolation"
)

// annotationConfigHash on a pod template changes with the configuration, which processes read only at their start.
const annotationConfigHash = "chattenant.io/config-hash"

// Users that containers run as. Neither is in the image's root group, and group and user are the same number.
const (
	chatServerUser = 65532
	postgresUser   = 999
)

// secretMode lets the owner, root, and the pod's group read. PostgreSQL refuses a private key that more could read.
const secretMode = 0o440

// podTemplate puts the labels of a component and of its network role, which bears the same name, and the hash of its
// configuration on a pod.
func podTemplate(
	in Input, component string, config map[string]string, spec *corev1ac.PodSpecApplyConfiguration,
) *corev1ac.PodTemplateSpecApplyConfiguration {
	return corev1ac.PodTemplateSpec().
		WithLabels(roleLabels(in, component, isolation.End(component))).
		WithAnnotations(map[string]string{annotationConfigHash: hash(config)}).
		WithSpec(spec)
}

// podSpec is what every pod of a tenant has in common: its place, and what it may not do.
func podSpec(in Input, account string, user int64) *corev1ac.PodSpecApplyConfiguration {
	spec := corev1ac.PodSpec().
		WithServiceAccountName(account).
		WithAutomountServiceAccountToken(false).
		// Service links would tell each pod its neighbours' addresses in environment variables.
		WithEnableServiceLinks(false).
		WithAffinity(corev1ac.Affinity().WithNodeAffinity(placed(in))).
		WithTolerations(tolerations(in)...).
		WithSecurityContext(podSecurityContext(user)).
		// Tenant pods have no DNS. A policy None needs a nameserver; nothing listens on this one, so a lookup fails at
		// once instead of waiting for packets that the network policy drops.
		WithDNSPolicy(corev1.DNSNone).
		WithDNSConfig(corev1ac.PodDNSConfig().WithNameservers("127.0.0.1"))
	if i := in.Class.Spec.Isolation; i != nil && i.RuntimeClassName != "" {
		spec.WithRuntimeClassName(i.RuntimeClassName)
	}
	return spec
}

// podSecurityContext also owns the pod's volumes through fsGroup. OnRootMismatch, because the other policy would make
// a database's files writable for the group at each start, and PostgreSQL refuses that.
func podSecurityContext(user int64) *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(user).
		WithRunAsGroup(user).
		WithFSGroup(user).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

// container has no privilege and no writable file system of its own.
func container(name string, image string, s sizes) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName(name).
		WithImage(image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithResources(s.requirements()).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")))
}

func secretVolume(name, secret string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name).
		WithSecret(corev1ac.SecretVolumeSource().WithSecretName(secret).WithDefaultMode(secretMode))
}

func configVolume(name, configMap string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name).
		WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(configMap).WithDefaultMode(secretMode))
}

// readOnly mounts a whole directory. Single files, by subPath, would never see a renewed certificate.
func readOnly(volume, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(volume).WithMountPath(path).WithReadOnly(true)
}

func writable(volume, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(volume).WithMountPath(path)
}

// hash digests names and contents in a fixed order. Neither contains a zero byte.
func hash(data map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(data)) {
		h.Write([]byte(name + "\x00" + data[name] + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
