// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestNoObjectButTheKeyIsASecret(t *testing.T) {
	forEachObject(t, func(t *testing.T, _ Input, object *unstructured.Unstructured) {
		if object.GetKind() == "Secret" && !strings.HasPrefix(object.GetName(), "key-encryption-key") {
			t.Error("the operator writes a Secret that it would have to read")
		}
	})
}

func TestTheKeyIsInItsSecretUnchangedAndNowhereElse(t *testing.T) {
	in, key := minimalInput(), bytes.Repeat([]byte{0xA7, 0x5C}, 16)
	secret := Keys(in, 1, key)
	if !bytes.Equal(secret.Data["key"], key) || len(secret.Data) != 1 {
		t.Errorf("data has %d keys and does not hold the given one alone", len(secret.Data))
	}
	if secret.Immutable == nil || !*secret.Immutable {
		t.Error("the Secret can be changed")
	}
	secret.Data = nil
	rest, err := yaml.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(rest, []byte(base64.StdEncoding.EncodeToString(key))) {
		t.Error("the key is in the Secret's metadata")
	}
}
