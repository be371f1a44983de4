// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// owned is a field manager's entry.
func owned(
	manager string, operation metav1.ManagedFieldsOperationType, subresource, fields string,
) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: subresource, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(fields),
	}
}

const ownData = `{"f:metadata":{"f:labels":{"f:app":{}}},"f:data":{"f:colour":{}}}`

func configMap(data map[string]string, entries ...metav1.ManagedFieldsEntry) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "chat-acme", Name: "settings", ManagedFields: entries,
			Labels: map[string]string{"app": "x", "extra": "y"},
		},
		Data: data,
	}
}

func intent() *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap("settings", "chat-acme").
		WithLabels(map[string]string{"app": "x"}).WithData(map[string]string{"colour": "blue"})
}

func TestStripReplacesTheBodyByTheDigestOfWhatIsOurs(t *testing.T) {
	data, err := json.Marshal(intent())
	if err != nil {
		t.Fatal(err)
	}
	want := digest(data)
	apply, update := metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	mine := owned(FieldManager, apply, "", ownData)
	for _, tc := range []struct {
		name    string
		live    *corev1.ConfigMap
		carries bool
		foreign bool
	}{
		{"as applied", configMap(map[string]string{"colour": "blue"}, mine), true, false},
		{"another value", configMap(map[string]string{"colour": "red"}, mine), false, false},
		{"a value that was taken from us", configMap(map[string]string{"colour": "red"},
			owned(FieldManager, apply, "", `{"f:metadata":{"f:labels":{"f:app":{}}}}`),
			owned("kubectl-edit", update, "", `{"f:data":{"f:colour":{}}}`)), false, true},
		{"a value that someone added", configMap(map[string]string{"colour": "blue", "shape": "round"}, mine,
			owned("kubectl-edit", update, "", `{"f:data":{"f:shape":{}}}`)), false, true},
		{"a label that someone added", configMap(map[string]string{"colour": "blue"}, mine,
			owned("kubectl-label", update, "", `{"f:metadata":{"f:labels":{"f:extra":{}}}}`)), true, false},
		{"a status that a controller wrote", configMap(map[string]string{"colour": "blue"}, mine,
			owned("controller", update, "status", `{"f:status":{}}`)), true, false},
		{"made by someone else", configMap(map[string]string{"colour": "blue"},
			owned("kubectl", update, "", ownData)), false, true},
		{"our name, but not by server-side apply", configMap(map[string]string{"colour": "blue"},
			owned(FieldManager, update, "", ownData)), false, true},
		{"an owner that someone added", configMap(map[string]string{"colour": "blue"}, mine,
			owned("kubectl-edit", update, "", `{"f:metadata":{"f:ownerReferences":{"k:{\"uid\":\"1\"}":{}}}}`)), false, true},
		{"a forged digest on another's object", forging(want, configMap(map[string]string{"colour": "red"},
			owned("kubectl", update, "", ownData))), false, true},
		{"a forged digest without a record of owners", forging(want, configMap(map[string]string{"colour": "red"})),
			false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := Strip(tc.live)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := out.(*corev1.ConfigMap)
			if !ok {
				t.Fatalf("Strip answered a %T", out)
			}
			if carries := Digest(got) == want; carries != tc.carries {
				t.Errorf("carries the intent: %v, want %v", carries, tc.carries)
			}
			if tc.foreign && Digest(got) != "" {
				t.Errorf("an object that others own a part of has digest %s", Digest(got))
			}
			if len(got.Data) != 0 || !isStripped(got) {
				t.Errorf("the body is still there: %v %v", got.Data, got.ManagedFields)
			}
		})
	}
}

// forging brings a digest along, as if Strip had made it.
func forging(sum string, o *corev1.ConfigMap) *corev1.ConfigMap {
	o.Annotations = map[string]string{annotationDigest: sum}
	return o
}

func TestStripIsIdempotent(t *testing.T) {
	once, err := Strip(configMap(map[string]string{"colour": "blue"},
		owned(FieldManager, metav1.ManagedFieldsOperationApply, "", ownData)))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := once.(*corev1.ConfigMap)
	before := Digest(first)
	if _, err := Strip(first); err != nil {
		t.Fatal(err)
	}
	if before == "" || Digest(first) != before {
		t.Errorf("digest was %q, is %q", before, Digest(first))
	}
}

func TestAbsorbLeavesMetadataAndStatusToTheirOwners(t *testing.T) {
	update := metav1.ManagedFieldsOperationUpdate
	entries, err := absorb([]metav1.ManagedFieldsEntry{
		owned(FieldManager, metav1.ManagedFieldsOperationApply, "", ownData),
		owned("kubectl-edit", update, "", `{"f:data":{"f:shape":{}}}`),
		owned("kube-controller-manager", update, "", `{"f:metadata":{"f:annotations":{"f:revision":{}}}}`),
		owned("kube-controller-manager", update, "status", `{"f:status":{"f:phase":{}}}`),
	}, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Fatalf("want the controller's two entries and our own, got %d", len(entries))
	}
	own := entries[2]
	for _, field := range []string{"f:colour", "f:shape", "f:app"} {
		if !strings.Contains(own.FieldsV1.GetRawString(), field) {
			t.Errorf("%s is not ours: %s", field, own.FieldsV1.GetRawString())
		}
	}
	if !ours(own) {
		t.Errorf("the entry is %+v", own)
	}
}
