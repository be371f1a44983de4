// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	keySecret = "key-encryption-key"
	keyFile   = "key"
)

// KeySecretName is the Secret with the key of a generation. The first has no number: it was there before there were
// others.
func KeySecretName(generation int64) string {
	if generation == 1 {
		return keySecret
	}
	return keySecret + "-" + strconv.FormatInt(generation, 10)
}

// keyVolume is where the chat server's pod has the key of a generation.
func keyVolume(generation int64) (name, directory string) {
	suffix := strings.TrimPrefix(KeySecretName(generation), keySecret)
	return "kek" + suffix, keyDir + suffix
}

// keyGenerations are the keys that the chat server gets, newest first: all there ever were, because a backup that is
// restored may need any of them.
func keyGenerations(in Input) []int64 {
	var all []int64
	for generation := in.KeyGeneration; generation >= 1; generation-- {
		all = append(all, generation)
	}
	return all
}

// secretGenerations are those of them that are Secrets.
func secretGenerations(in Input) []int64 {
	return slices.DeleteFunc(keyGenerations(in), func(generation int64) bool {
		return in.Tenant.Spec.Encryption.External(generation) != nil
	})
}

// Keys is the Secret with the tenant's key-encryption key of a generation, 32 random bytes. It is created once and
// never applied: answering a patch would show the operator the key. It is immutable, because another key in its place
// would make everything sealed unreadable, and it has no owner reference, because garbage collection must never be able
// to do the same.
func Keys(in Input, generation int64, key []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      KeySecretName(generation),
			Namespace: in.namespace(),
			Labels:    labels(in, componentKeys),
		},
		Immutable: ptr.To(true),
		Type:      corev1.SecretTypeOpaque,
		Data:      map[string][]byte{keyFile: key},
	}
}
