// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// sources are the parts of config/ that the chart takes over whole.
var sources = []string{
	"config/crd/bases/*.yaml",
	"config/rbac/*.yaml",
	"config/admission/*.yaml",
	"config/flowcontrol/*.yaml",
}

// values replaces what config/ fixes and the chart leaves to its user. Longer texts come before their parts.
var values = strings.NewReplacer(
	"{{", `{{ "{{" }}`,
	"system:serviceaccount:cert-manager:cert-manager",
	"system:serviceaccount:{{ .Values.certManager.namespace }}:{{ .Values.certManager.serviceAccountName }}",
	"chattenant-system", "{{ .Release.Namespace }}",
)

// crdAnnotations keep the definitions, and so every tenant, when a release is uninstalled, and say which release they
// came with.
const crdAnnotations = `  annotations:
    chattenant.io/release: {{ .Chart.AppVersion }}
    helm.sh/resource-policy: keep
`

// generate returns the templates by file name.
func generate(root fs.FS) (map[string][]byte, error) {
	templates := make(map[string][]byte)
	for _, pattern := range sources {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, fmt.Errorf("find manifests: %w", err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("find manifests: nothing matches %s", pattern)
		}
		for _, file := range files {
			if path.Base(file) == "kustomization.yaml" {
				continue
			}
			if templates[templateName(file)], err = template(root, file); err != nil {
				return nil, err
			}
		}
	}
	return templates, nil
}

// templateName is the file's name behind the name of its part of config/.
func templateName(file string) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(file, "config/"), "/")
	return part + "-" + strings.TrimPrefix(path.Base(file), "chattenant.io_")
}

func template(root fs.FS, file string) ([]byte, error) {
	content, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	text := values.Replace(string(content))
	if strings.HasPrefix(file, "config/crd/") {
		if strings.Count(text, "  annotations:\n") != 1 {
			return nil, fmt.Errorf("annotate %s: want exactly one block of annotations", file)
		}
		text = strings.Replace(text, "  annotations:\n", crdAnnotations, 1)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Generated from %s by hack/chart. DO NOT EDIT.\n%s", file, text)
	return out.Bytes(), nil
}
