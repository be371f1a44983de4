// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Columns as `kubectl get` prints them; in brackets those that only -o wide shows.
func TestColumnsAnswerTheFirstQuestions(t *testing.T) {
	for _, test := range []struct {
		kind, plural string
		want         []string
	}{
		{"chattenant", "chattenants", []string{
			"Name=valid", "Ready=True", "Region=eu-central", "Host=chat.valid.example", "Class=standard", "Age",
			"(Reason=Ready)",
			"(Message=The tenant serves)",
		}},
		{"chattenantclass", "chattenantclasses", []string{"Name=valid", "Issuer=public", "Engine=Standalone", "Replicas=2",
			"Age"}},
		{"dataregion", "dataregions", []string{
			"Name=valid", "Jurisdiction=DE", "Display Name=Frankfurt", "Storage Class=local-eu-central", "Age",
		}},
		{"subprocessor", "subprocessors", []string{
			"Name=valid", "Legal Name=Example Mail GmbH", `Locations=["DE"]`, "Effective From=2026-11-01", "Age",
		}},
	} {
		t.Run(test.kind, func(t *testing.T) {
			c, o := adminClient(t), manifest(t, test.kind)
			ensure(t, c, o)
			if test.kind == "chattenant" {
				o.Object["status"] = manifest(t, "chattenant-full").Object["status"]
				if err := as(t, operator).Status().Update(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, columns(t, o.GroupVersionKind(), test.plural, o.GetName())); diff != "" {
				t.Errorf("columns differ (-want +got):\n%s", diff)
			}
		})
	}
}

// columns asks for one object the way kubectl does.
func columns(t *testing.T, kind schema.GroupVersionKind, plural, name string) []string {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(admin)
	if err != nil {
		t.Fatal(err)
	}
	c, err := apiutil.RESTClientForGVK(kind, false, false, unlimited(admin), scheme.Codecs, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Get().Resource(plural).Name(name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	var printed []string
	for i, column := range table.ColumnDefinitions {
		text := fmt.Sprintf("%s=%v", column.Name, table.Rows[0].Cells[i])
		if column.Name == "Age" {
			text = column.Name
		}
		if column.Priority > 0 {
			text = "(" + text + ")"
		}
		printed = append(printed, text)
	}
	return printed
}
