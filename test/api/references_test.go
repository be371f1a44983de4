// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// references are the fields that name another object, by kind.
var references = map[string][]string{
	"ChatTenant": {
		"spec.className", "spec.region", "spec.adoptUID", "spec.subProcessors.use[].name",
		"spec.subProcessors.approvals[].name", "spec.subProcessors.objections[].name",
	},
	"ChatTenantClass": {"spec.issuerRef.name", "spec.isolation.runtimeClassName"},
	"DataRegion":      {"spec.storageClassName", "spec.backupStore.subProcessor"},
	"SubProcessor":    {"spec.parent"},
}

// elsewhere are ways to write the name of something in another namespace, or of something that looks like another.
var elsewhere = map[string]string{
	"with a slash":            "chat-globex/standard",
	"with an encoded slash":   "chat-globex%2Fstandard",
	"above":                   "../standard",
	"a path":                  "/api/v1/namespaces/chat-globex",
	"with a colon":            "chat-globex:standard",
	"with a space":            "chat-globex standard",
	"with a line break":       "standard\nnamespace: chat-globex",
	"in capitals":             "Standard",
	"that begins with a dot":  ".standard",
	"that ends with a dot":    "standard.",
	"with a full-width slash": "chat-globex／standard",
	"with a Cyrillic letter":  "stаndard",
	"with an invisible space": "standard\u200b",
	"with a null":             "standard\x00",
	"a template":              "{{ .Release.Namespace }}",
}

func TestNoReferenceNamesAnythingElsewhere(t *testing.T) {
	c := adminClient(t)
	for kind, fields := range references {
		base := manifest(t, strings.ToLower(kind)+"-full")
		for _, field := range fields {
			for how, value := range elsewhere {
				t.Run(kind+" "+field+" "+how, func(t *testing.T) {
					err := c.Create(t.Context(), changed(t, base, set(concrete(base, field), value)))
					if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), elementPath(field)) {
						t.Errorf("%q was not refused at %s: %v", value, field, err)
					}
				})
			}
		}
	}
}

// TestEveryReferenceIsKnown finds fields by what their names end in, and sees to it that none says in which namespace.
func TestEveryReferenceIsKnown(t *testing.T) {
	refers := regexp.MustCompile(`(?i)(name|ref|parent|region|subprocessor|uid)$`)
	texts := []string{"spec.displayName", "spec.legalName", "spec.processor.legalName"}
	for kind, nodes := range schemas(t) {
		for _, n := range nodes {
			last := strings.ToLower(n.at[strings.LastIndex(n.at, ".")+1:])
			if strings.Contains(last, "namespace") && n.at != "status.namespace" {
				t.Errorf("%s: %s says in which namespace", kind, n.at)
			}
			if strings.HasPrefix(n.at, "spec.") && n.Type == "string" && refers.MatchString(n.at) &&
				!slices.Contains(references[kind], n.at) && !slices.Contains(texts, n.at) {
				t.Errorf("%s: %s refers to something, and nothing is known of it here", kind, n.at)
			}
		}
	}
}
