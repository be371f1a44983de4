// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// sound is an input that violates nothing: a tenant that runs.
func sound() Input {
	tenant := claimant("acme", "uid-acme", created)
	tenant.Spec.ClassName, tenant.Spec.Region = "standard", "eu-central"
	tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"EU"}}
	return Input{
		Tenant:    &tenant,
		Class:     &v1alpha1.ChatTenantClass{},
		Region:    region("DE"),
		Claimants: []v1alpha1.ChatTenant{tenant},
		Namespace: namespaceOf("uid-acme", "eu-central"),
	}
}

func claimant(name, uid string, at time.Time) v1alpha1.ChatTenant {
	return v1alpha1.ChatTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid), CreationTimestamp: metav1.NewTime(at)},
		Spec:       v1alpha1.ChatTenantSpec{Endpoint: v1alpha1.Endpoint{Host: "chat.acme.example"}},
	}
}

func region(country v1alpha1.Jurisdiction) *v1alpha1.DataRegion {
	return &v1alpha1.DataRegion{
		ObjectMeta: metav1.ObjectMeta{Name: "eu-central"},
		Spec: v1alpha1.DataRegionSpec{
			Jurisdiction: country, NodeSelector: map[string]v1alpha1.LabelValue{"place": "eu"},
		},
	}
}

func namespaceOf(uid, region string) *corev1.Namespace {
	const tenant = "acme"
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "chat-" + tenant,
		Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelTenant: tenant, v1alpha1.LabelRegion: region,
		},
		Annotations: map[string]string{v1alpha1.AnnotationTenantUID: uid},
	}}
}

func TestPrerequisites(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Input)
		reason string
		says   string
	}{
		{"a sound tenant violates nothing", func(*Input) {}, "", ""},
		{"a tenant that is new needs no namespace", func(in *Input) { in.Namespace = nil }, "", ""},
		{"an unknown class", func(in *Input) { in.Class = nil }, v1alpha1.ReasonClassNotFound, `"standard"`},
		{"an unknown region", func(in *Input) { in.Region = nil }, v1alpha1.ReasonRegionNotFound, `"eu-central"`},
		{"a region outside the residency", func(in *Input) { in.Region = region("US") },
			v1alpha1.ReasonResidencyViolated, "lies in US"},
		{"a region of the EEA is not one of the EU", func(in *Input) { in.Region = region("NO") },
			v1alpha1.ReasonResidencyViolated, "lies in NO"},
		{"no residency bounds nothing", func(in *Input) { in.Tenant.Spec.Residency, in.Region = nil, region("US") }, "", ""},
		{"an older tenant has the host", func(in *Input) {
			in.Claimants = append(in.Claimants, claimant("globex", "uid-globex", created.Add(-time.Second)))
		}, v1alpha1.ReasonHostTaken, `"globex"`},
		{"a younger tenant wants the host", func(in *Input) {
			in.Claimants = append(in.Claimants, claimant("globex", "uid-globex", created.Add(time.Second)))
		}, "", ""},
		{"of two tenants of one second the smaller UID has the host", func(in *Input) {
			in.Claimants = append(in.Claimants, claimant("globex", "uid-a", created))
		}, v1alpha1.ReasonHostTaken, `"globex"`},
		{"a foreign namespace", func(in *Input) {
			in.Namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "chat-acme"}}
		}, v1alpha1.ReasonNamespaceNotOurs, "left untouched"},
		{"a namespace of another tenant's making", func(in *Input) {
			in.Namespace.Labels[v1alpha1.LabelTenant] = "globex"
			in.Namespace.Annotations[v1alpha1.AnnotationTenantUID] = "uid-globex"
		}, v1alpha1.ReasonNamespaceNotOurs, "left untouched"},
		{"a hand edit of the namespace's labels is no foreign namespace", func(in *Input) {
			in.Namespace.Labels = nil
		}, "", ""},
		{"data of an earlier tenant that nobody named", func(in *Input) {
			in.Namespace = namespaceOf("uid-before", "eu-central")
		}, v1alpha1.ReasonNamespaceRetained, "spec.adoptUID: uid-before"},
		{"data of an earlier tenant under another's UID", func(in *Input) {
			in.Namespace, in.Tenant.Spec.AdoptUID = namespaceOf("uid-before", "eu-central"), "uid-other"
		}, v1alpha1.ReasonNamespaceRetained, "spec.adoptUID: uid-before"},
		{"data of an earlier tenant, adopted", func(in *Input) {
			in.Namespace, in.Tenant.Spec.AdoptUID = namespaceOf("uid-before", "eu-central"), "uid-before"
		}, "", ""},
		{"adopting data that lies elsewhere", func(in *Input) {
			in.Namespace, in.Tenant.Spec.AdoptUID = namespaceOf("uid-before", "us-east"), "uid-before"
		}, v1alpha1.ReasonDataElsewhere, "spec.region: us-east"},
		{"adopting nothing", func(in *Input) { in.Namespace, in.Tenant.Spec.AdoptUID = nil, "uid-before" },
			v1alpha1.ReasonNothingToAdopt, "uid-before"},
		{"a namespace that someone deletes after the adoption is made again", func(in *Input) {
			in.Namespace, in.Tenant.Spec.AdoptUID, in.Tenant.Status.Namespace = nil, "uid-before", "chat-acme"
		}, "", ""},
		{"a namespace on its way out", func(in *Input) {
			in.Namespace.DeletionTimestamp = &metav1.Time{Time: created}
		}, v1alpha1.ReasonNamespaceTerminating, "being removed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := sound()
			tc.change(&in)
			violation := FirstViolation(Prerequisites, in)
			if tc.reason == "" {
				if violation != nil {
					t.Fatalf("want no violation, got %+v", violation)
				}
				return
			}
			if violation == nil || violation.Reason != tc.reason || !strings.Contains(violation.Message, tc.says) {
				t.Fatalf("want %s with %q, got %+v", tc.reason, tc.says, violation)
			}
		})
	}
}

func TestJurisdictionSetsContainTheirMembers(t *testing.T) {
	for _, tc := range []struct {
		country v1alpha1.Jurisdiction
		allowed []v1alpha1.Jurisdiction
		want    bool
	}{
		{"DE", []v1alpha1.Jurisdiction{"DE"}, true},
		{"DE", []v1alpha1.Jurisdiction{"FR", "EU"}, true},
		{"NO", []v1alpha1.Jurisdiction{"EEA"}, true},
		{"GB", []v1alpha1.Jurisdiction{"EU", "EEA"}, false},
		{"CH", []v1alpha1.Jurisdiction{"EEA"}, false},
	} {
		if got := Within(tc.country, tc.allowed); got != tc.want {
			t.Errorf("%s within %v: got %v, want %v", tc.country, tc.allowed, got, tc.want)
		}
	}
	if got := len(strings.Fields(euMembers)); got != 27 {
		t.Errorf("the EU has 27 members, the list %d", got)
	}
}
