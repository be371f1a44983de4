// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"bytes"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// rotated is the tenant of this test.
const rotated = "rotated"

func keyOf(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	key := &corev1.Secret{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: naming.Namespace(rotated), Name: name}, key); err != nil {
		t.Fatal(err)
	}
	return key
}

func encryptionOf(t *testing.T) v1alpha1.EncryptionStatus {
	t.Helper()
	live := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: rotated}, live); err != nil {
		t.Fatal(err)
	}
	if live.Status.Encryption == nil {
		return v1alpha1.EncryptionStatus{}
	}
	return *live.Status.Encryption
}

// rotate asks for the key of a generation.
func rotate(t *testing.T, generation int64) {
	t.Helper()
	live := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: rotated}, live); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(live.DeepCopy())
	live.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionSecret, Secret: &v1alpha1.SecretKey{Generation: generation},
	}
	if err := admin.Patch(t.Context(), live, patch); err != nil {
		t.Fatal(err)
	}
}

func wantEncryption(t *testing.T, newest, active int64, turned bool) {
	t.Helper()
	eventually(t, "the status to follow the keys", func() string {
		got := encryptionOf(t)
		if got.KeyGeneration != newest || got.ActiveGeneration != active || got.LastRotationTime.IsZero() == turned {
			return fmt.Sprintf("status.encryption is %+v, want generation %d, active %d", got, newest, active)
		}
		return ""
	})
}

func TestARotationMakesAFurtherKeyAndIsDoneWhenEveryChatServerHasIt(t *testing.T) {
	platform(t)
	_, stop := startOperator(t)
	create(t, newTenant(rotated))
	report(t, rotated)
	wantCondition(t, rotated, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	wantEncryption(t, 1, 1, false)
	first := keyOf(t, "key-encryption-key")

	rotate(t, 2)
	wantEncryption(t, 2, 1, false)
	second := keyOf(t, "key-encryption-key-2")
	if len(second.Data["key"]) != keySize || bytes.Equal(second.Data["key"], first.Data["key"]) {
		t.Error("the further key is no new one")
	}
	// As often as the chat server is changed: the status can be ahead of that.
	eventually(t, "every chat server to have the further key", func() string {
		if problem := reportChatServer(t, rotated); problem != "" {
			return problem
		}
		if got := encryptionOf(t); got.ActiveGeneration != 2 {
			return fmt.Sprintf("status.encryption is %+v", got)
		}
		return ""
	})
	wantEncryption(t, 2, 2, true)

	// Whoever forgets that it made a key must not make another.
	stop()
	forget(t)
	startOperator(t)
	wantEncryption(t, 2, 2, false)
	for name, before := range map[string]*corev1.Secret{"key-encryption-key": first, "key-encryption-key-2": second} {
		after := keyOf(t, name)
		if after.UID != before.UID || !bytes.Equal(after.Data["key"], before.Data["key"]) {
			t.Errorf("%s was replaced", name)
		}
	}
}

// forget loses what the status says about keys, as a restored object would.
func forget(t *testing.T) {
	t.Helper()
	live := &v1alpha1.ChatTenant{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: rotated}, live); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(live.DeepCopy())
	live.Status.Encryption = nil
	if err := admin.Status().Patch(t.Context(), live, before); err != nil {
		t.Fatal(err)
	}
}
