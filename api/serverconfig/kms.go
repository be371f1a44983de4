// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig

import (
	"fmt"

	"github.com/chattenant/chattenant/api/kmshelper"
)

// KMS is a key of a cloud's key management service, named by its Tink URI.
type KMS struct {
	// Generation counts rotations, as SecretKey's does. The services rotate a key's material by themselves without one;
	// a next generation with the same URI wraps the keysets with the newest material.
	Generation int64 `json:"generation"`
	// URI is aws-kms://ARN or gcp-kms://RESOURCE. Tink has no client for Azure.
	URI string `json:"uri"`
	// Program reaches the service: the helper built from the module kms, run for each of the few calls an hour.
	Program string `json:"program"`
	// Identity is how the cloud knows the tenant.
	Identity kmshelper.Identity `json:"identity"`
}

func (k *KMS) validate(path string) []error {
	errs := missing(field{path + ".program", k.Program})
	key, err := kmshelper.ParseKey(k.URI)
	if err != nil {
		return append(errs, fmt.Errorf("%s.uri: %w", path, err))
	}
	for _, err := range k.Identity.Validate(key.Cloud) {
		errs = append(errs, fmt.Errorf("%s.identity.%w", path, err))
	}
	return errs
}
