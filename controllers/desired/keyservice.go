// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

const (
	// keyTokenVolume holds a token of the chat server's ServiceAccount for each key service, and nothing else.
	keyTokenVolume = "key-service-token"
	keyServiceDir  = "/var/run/chattenant/key-service"
	// keyTokenSeconds is how long a token is worth something to whoever gets hold of it. The chat server asks the service
	// once an hour; kubelet renews the token after four fifths of this time. The API server takes no less than ten
	// minutes, admission no more than an hour.
	keyTokenSeconds = 3600
	// kmsProgram is the helper in the chat server's image that reaches the clouds.
	kmsProgram = "/kms"
)

// kmsHeadroom is what the helper may take while it runs, beside the chat server in the same container. It was measured
// at 27 MiB and keeps itself to 24 MiB of Go's memory (TestTheProgramStaysWithinItsRoomAndNeedsNoFiles in kms).
func kmsHeadroom() resource.Quantity { return resource.MustParse("32Mi") }

// externalKeys are the keys outside of the namespace that the chat server gets, newest first.
func externalKeys(in Input) (keys []*v1alpha1.ExternalKey) {
	for generation := in.KeyGeneration; generation >= 1; generation-- {
		if key := in.Tenant.Spec.Encryption.External(generation); key != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// needsWayOut says whether the chat server could not even start without an egress gateway.
func needsWayOut(in Input) bool { return in.Tenant.Spec.Encryption.External(in.KeyGeneration) != nil }

// runsHelper asks what is declared, not what is in use already: the quota grows before the pods do.
func runsHelper(in Input) bool {
	for _, key := range in.Tenant.Spec.Encryption.Externals() {
		if key.KMS != nil {
			return true
		}
	}
	return false
}

// keyTokenVolumes is the only volume of a tenant with a token in it: one for each key service, which the Kubernetes API
// does not take.
func keyTokenVolumes(in Input) []*corev1ac.VolumeApplyConfiguration {
	keys := externalKeys(in)
	if len(keys) == 0 {
		return nil
	}
	projected := corev1ac.ProjectedVolumeSource().WithDefaultMode(secretMode)
	for _, key := range keys {
		projected.WithSources(corev1ac.VolumeProjection().WithServiceAccountToken(
			corev1ac.ServiceAccountTokenProjection().
				WithAudience(key.TokenAudience()).
				WithExpirationSeconds(keyTokenSeconds).
				WithPath(keyTokenFile(key))))
	}
	return one(corev1ac.Volume().WithName(keyTokenVolume).WithProjected(projected))
}

func keyTokenMounts(in Input) []*corev1ac.VolumeMountApplyConfiguration {
	if len(externalKeys(in)) == 0 {
		return nil
	}
	return one(readOnly(keyTokenVolume, keyServiceDir))
}

func keyTokenFile(key *v1alpha1.ExternalKey) string {
	return "token-" + strconv.FormatInt(key.Generation(), 10)
}

func vaultCAFile(key *v1alpha1.ExternalKey) string {
	return "vault-ca-" + strconv.FormatInt(key.Generation(), 10) + ".crt"
}

// externalSealing is how the chat server reaches a key.
func externalSealing(key *v1alpha1.ExternalKey) serverconfig.KeyEncryptionKey {
	token := keyServiceDir + "/" + keyTokenFile(key)
	if vault := key.VaultTransit; vault != nil {
		return serverconfig.KeyEncryptionKey{VaultTransit: &serverconfig.VaultTransit{
			Generation: vault.Generation, Address: vault.Address, MountPath: vault.MountPath, Key: vault.Key,
			CAFile: chatServerConfigDir + "/" + vaultCAFile(key),
			Auth: serverconfig.VaultAuth{JWT: &serverconfig.VaultJWT{
				MountPath: vault.Login.MountPath, Role: vault.Login.Role, File: token,
			}},
		}}
	}
	return serverconfig.KeyEncryptionKey{KMS: &serverconfig.KMS{
		Generation: key.KMS.Generation, URI: key.KMS.URI, Program: kmsProgram,
		Identity: kmshelper.Identity{
			TokenFile: token, RoleARN: key.KMS.RoleARN, Audience: key.KMS.WorkloadIdentityProvider,
			ServiceAccount: key.KMS.ServiceAccount,
		},
	}}
}
