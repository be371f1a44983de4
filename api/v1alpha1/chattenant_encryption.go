// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// EncryptionProvider says where a key-encryption key lives.
// +kubebuilder:validation:Enum=Secret;VaultTransit;KMS
type EncryptionProvider string

// Where a key-encryption key lives.
const (
	// EncryptionSecret is a Secret in the tenant's namespace, created once and never read back by the operator.
	EncryptionSecret EncryptionProvider = "Secret"
	// EncryptionVaultTransit is a transit key of Vault or OpenBao.
	EncryptionVaultTransit EncryptionProvider = "VaultTransit"
	// EncryptionKMS is a cloud key management service.
	EncryptionKMS EncryptionProvider = "KMS"
)

// Encryption says where a tenant's key-encryption key lives. It is a union: only the provider's own field is set.
// +union
// +kubebuilder:validation:XValidation:rule="self.provider == 'Secret' || !has(self.secret)",message="secret is only allowed for provider Secret"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'VaultTransit') == has(self.vaultTransit)",message="vaultTransit is required for provider VaultTransit and only allowed there"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'KMS') == has(self.kms)",message="kms is required for provider KMS and only allowed there"
// +kubebuilder:validation:XValidation:rule="!has(self.previous) || self.previous.all(p, (has(p.vaultTransit) ? p.vaultTransit.generation : p.kms.generation) < (has(self.vaultTransit) ? self.vaultTransit.generation : has(self.kms) ? self.kms.generation : has(self.secret) ? self.secret.generation : 1))",message="keys in previous have lower generations than the key in use"
// +kubebuilder:validation:XValidation:rule="!has(self.previous) || self.previous.all(p, self.previous.exists_one(q, (has(q.vaultTransit) ? q.vaultTransit.generation : q.kms.generation) == (has(p.vaultTransit) ? p.vaultTransit.generation : p.kms.generation)))",message="each key in previous has a generation of its own"
type Encryption struct {
	// provider selects where the key lives.
	// +required
	// +unionDiscriminator
	Provider EncryptionProvider `json:"provider,omitempty"`

	// secret says which key is in use, for provider Secret. Without it that is the first.
	// +optional
	Secret *SecretKey `json:"secret,omitempty"`

	// vaultTransit is a transit key of Vault or OpenBao.
	// +optional
	VaultTransit *VaultTransit `json:"vaultTransit,omitempty"`

	// kms is a key of a cloud key management service.
	// +optional
	KMS *KMSKey `json:"kms,omitempty"`

	// previous lists the keys of earlier generations that live outside of the tenant's namespace. What they wrapped opens
	// with nothing else, so none is ever taken out. Generations that are neither here nor in use are Secrets.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Previous []ExternalKey `json:"previous,omitempty"`
}

// SecretKey is a key in a Secret of the tenant's namespace.
type SecretKey struct {
	// generation counts the key's rotations, from 1. It grows by one at a time: the operator then makes a further key and
	// the chat servers move to it. Earlier keys stay, because backups of their time need them.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Generation int64 `json:"generation,omitempty"`
}

// ExternalKey is a key that lives outside of the tenant's namespace; exactly one place is set.
// +kubebuilder:validation:ExactlyOneOf=vaultTransit;kms
type ExternalKey struct {
	// vaultTransit is a transit key of Vault or OpenBao.
	// +optional
	VaultTransit *VaultTransit `json:"vaultTransit,omitempty"`

	// kms is a key of a cloud key management service.
	// +optional
	KMS *KMSKey `json:"kms,omitempty"`
}

// VaultTransit is a transit key of Vault or OpenBao, used with the tenant's own identity. Mount path and key say which
// one it is and stay what they are; how it is reached may change.
type VaultTransit struct {
	// generation counts the key's rotations, wherever the keys live, from 1. It grows by one at a time, and the key of
	// before goes to previous. Rotating the key inside the engine takes no new generation.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Generation int64 `json:"generation,omitempty"`

	// address is the server's https:// address; a declared, effective sub-processor must cover its host and port.
	// +required
	// +kubebuilder:validation:MinLength=11
	// +kubebuilder:validation:MaxLength=267
	// +kubebuilder:validation:Pattern=`^https://([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?(:[1-9][0-9]{0,4})?$`
	Address string `json:"address,omitempty"`

	// mountPath is the path of the transit engine.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-_/a-zA-Z0-9]*[a-zA-Z0-9])?$`
	MountPath string `json:"mountPath,omitempty"`

	// key is the name of the transit key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9][-_.a-zA-Z0-9]*$`
	Key string `json:"key,omitempty"`

	// login is how the server knows the tenant.
	// +required
	Login VaultLogin `json:"login,omitzero"`

	// caBundle holds the certificates, as PEM, of which one must have signed the server's. No others are trusted.
	// +required
	// +kubebuilder:validation:MinLength=55
	// +kubebuilder:validation:MaxLength=32768
	// +kubebuilder:validation:Pattern=`^-----BEGIN CERTIFICATE-----\r?\n`
	// +kubebuilder:validation:XValidation:rule="!self.contains('PRIVATE KEY')",message="caBundle holds certificates only: a private key does not belong here, and this one was shown to whoever reads requests"
	CABundle string `json:"caBundle,omitempty"`
}

// VaultLogin is the auth method jwt or kubernetes: both take a token of the chat server's ServiceAccount.
type VaultLogin struct {
	// mountPath is where the method is mounted, as jwt or kubernetes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-_/a-zA-Z0-9]*[a-zA-Z0-9])?$`
	MountPath string `json:"mountPath,omitempty"`

	// role is the method's role to log in with.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9][-_.a-zA-Z0-9]*$`
	Role string `json:"role,omitempty"`

	// audience is whom the token is for: the audience that the role is bound to, never the Kubernetes API.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9][-_.:/a-zA-Z0-9]*$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(https?://)?kubernetes([.]default([.]svc([.].*)?)?)?(:[0-9]+)?/?$') && self != 'api'",message="audience must be the key service's own: a token for the Kubernetes API does not leave the cluster"
	Audience string `json:"audience,omitempty"`
}

// KMSKey names a key by its Tink key URI, and says as whom the tenant uses it. The URI says which key it is and stays
// what it is; the identity may change.
// +kubebuilder:validation:XValidation:rule="self.uri.startsWith('aws-kms://') == has(self.roleARN)",message="roleARN is required for a key of AWS and only allowed there"
// +kubebuilder:validation:XValidation:rule="self.uri.startsWith('gcp-kms://') == has(self.workloadIdentityProvider)",message="workloadIdentityProvider is required for a key of Google and only allowed there"
// +kubebuilder:validation:XValidation:rule="self.uri.startsWith('gcp-kms://') || !has(self.serviceAccount)",message="serviceAccount is only allowed for a key of Google"
type KMSKey struct {
	// generation counts the key's rotations, wherever the keys live, from 1. It grows by one at a time, and the key of
	// before goes to previous. A next generation with the same URI wraps with the newest material.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Generation int64 `json:"generation,omitempty"`

	// uri is the key's Tink URI, aws-kms://ARN or gcp-kms://RESOURCE, of a key and not of an alias or a version. Declared,
	// effective sub-processors must cover the hosts that it takes. Tink has no client for Azure.
	// +required
	// +kubebuilder:validation:MinLength=56
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:Pattern=`^(aws-kms://arn:(aws|aws-us-gov|aws-cn|aws-eusc):kms:[a-z]{2,4}(-[a-z]+)+-[0-9]:[0-9]{12}:key/[-0-9a-zA-Z]+|gcp-kms://projects/[-.:a-z0-9]+/locations/[-a-z0-9]+/keyRings/[-_a-zA-Z0-9]+/cryptoKeys/[-_a-zA-Z0-9]+)$`
	URI string `json:"uri,omitempty"`

	// roleARN is the role that AWS lets the chat server's token assume. The token's audience is sts.amazonaws.com.
	// +optional
	// +kubebuilder:validation:MinLength=32
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^arn:[a-z-]+:iam::[0-9]{12}:role/[-+=,.@_/a-zA-Z0-9]+$`
	RoleARN string `json:"roleARN,omitempty"`

	// workloadIdentityProvider is the provider of Google's that takes the chat server's token,
	// //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER. The token's
	// audience is this address, with https: before it.
	// +optional
	// +kubebuilder:validation:MinLength=84
	// +kubebuilder:validation:MaxLength=300
	// +kubebuilder:validation:Pattern=`^//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[-a-z0-9]+/providers/[-a-z0-9]+$`
	WorkloadIdentityProvider string `json:"workloadIdentityProvider,omitempty"`

	// serviceAccount is a service account of Google's to act as, by its address. Without it the key's policy names the
	// token's subject itself.
	// +optional
	// +kubebuilder:validation:MinLength=27
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[-a-z0-9]+@[-.a-z0-9]+\.gserviceaccount\.com$`
	ServiceAccount string `json:"serviceAccount,omitempty"`
}
