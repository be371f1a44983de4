// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "slices"

// awsAudience is whom AWS wants a token to be for that is exchanged for a role's credentials.
const awsAudience = "sts.amazonaws.com"

// NewestKey is the generation of the key-encryption key that a tenant declares, counted from 1. Nil declares the first.
func (e *Encryption) NewestKey() int64 {
	switch {
	case e == nil:
	case e.VaultTransit != nil:
		return e.VaultTransit.Generation
	case e.KMS != nil:
		return e.KMS.Generation
	case e.Secret != nil:
		return e.Secret.Generation
	}
	return 1
}

// External is the key of a generation, nil for one in a Secret of the tenant's namespace.
func (e *Encryption) External(generation int64) *ExternalKey {
	keys := e.Externals()
	i := slices.IndexFunc(keys, func(k ExternalKey) bool { return k.Generation() == generation })
	if i < 0 {
		return nil
	}
	return &keys[i]
}

// Externals are all keys outside of the tenant's namespace, the one in use first.
func (e *Encryption) Externals() []ExternalKey {
	if e == nil {
		return nil
	}
	var keys []ExternalKey
	if e.VaultTransit != nil || e.KMS != nil {
		keys = append(keys, ExternalKey{VaultTransit: e.VaultTransit, KMS: e.KMS})
	}
	return append(keys, e.Previous...)
}

// Generation is that of whichever place is set, 0 if none is.
func (k *ExternalKey) Generation() int64 {
	switch {
	case k.VaultTransit != nil:
		return k.VaultTransit.Generation
	case k.KMS != nil:
		return k.KMS.Generation
	}
	return 0
}

// Provider says where the key lives: nil means in a Secret.
func (k *ExternalKey) Provider() EncryptionProvider {
	switch {
	case k == nil:
		return EncryptionSecret
	case k.VaultTransit != nil:
		return EncryptionVaultTransit
	}
	return EncryptionKMS
}

// TokenAudience is whom the chat server's token has to be for, so that the key's service takes it. The admission policy
// chattenant-key-tokens has the same rule.
func (k *ExternalKey) TokenAudience() string {
	switch {
	case k.VaultTransit != nil:
		return k.VaultTransit.Login.Audience
	case k.KMS == nil:
		return ""
	case k.KMS.RoleARN != "":
		return awsAudience
	}
	return "https:" + k.KMS.WorkloadIdentityProvider
}
