// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	keySecret = "key-encryption-key"
	keyFile   = "key"
)

// Keys is the Secret with the tenant's key-encryption key, 32 random bytes. It is created once and never applied:
// answering a patch would show the operator the key. It is immutable, because another key in its place would make
// everything sealed unreadable, and it has no owner reference, because garbage collection must never be able to do the
// same.
func Keys(in Input, key []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      keySecret,
			Namespace: in.namespace(),
			Labels:    labels(in, componentKeys),
		},
		Immutable: ptr.To(true),
		Type:      corev1.SecretTypeOpaque,
		Data:      map[string][]byte{keyFile: key},
	}
}
