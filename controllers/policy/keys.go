// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// CheckKeys finds what no schema can: a field of a key outside of the namespace that the chat server could not use, or
// a token for the Kubernetes API itself, whose audiences apiAudiences are. The error names the field and what is wrong.
func CheckKeys(encryption *v1alpha1.Encryption, apiAudiences []string) error {
	for _, key := range encryption.Externals() {
		if _, err := KeyNeeds(encryption, key.Generation()); err != nil {
			return err
		}
		if err := checkKey(key, apiAudiences); err != nil {
			return fmt.Errorf("spec.encryption, key of generation %d: %w", key.Generation(), err)
		}
	}
	return nil
}

func checkKey(key v1alpha1.ExternalKey, apiAudiences []string) error {
	if slices.Contains(apiAudiences, key.TokenAudience()) {
		return fmt.Errorf("audience %s is the Kubernetes API's own: choose one of the key service's", key.TokenAudience())
	}
	if key.VaultTransit != nil {
		if err := checkCertificates(key.VaultTransit.CABundle); err != nil {
			return fmt.Errorf("caBundle: %w", err)
		}
		return nil
	}
	parsed, err := kmshelper.ParseKey(key.KMS.URI)
	if err != nil {
		return fmt.Errorf("uri: %w", err)
	}
	// The file is the operator's to name.
	identity := kmshelper.Identity{
		TokenFile: "token", RoleARN: key.KMS.RoleARN, Audience: key.KMS.WorkloadIdentityProvider,
		ServiceAccount: key.KMS.ServiceAccount,
	}
	return errors.Join(identity.Validate(parsed.Cloud)...)
}

// checkCertificates wants certificates and nothing else. It quotes nothing of what it finds in their place.
func checkCertificates(bundle string) error {
	for rest, n := []byte(bundle), 1; ; n++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return errors.New("something in it is no PEM")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("block %d is no certificate", n)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("block %d is no certificate that can be read", n)
		}
		if strings.TrimSpace(string(rest)) == "" {
			return nil
		}
	}
}
