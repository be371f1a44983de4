// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"io"
	"path/filepath"
	"text/template"
)

//go:embed report.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// stand is what the report says of one tenant.
type stand struct {
	Tenant, Endpoint string
	Lines            []string
	Login            login
}

// report says what stands now and where to look.
func (d *demo) report(w io.Writer) error {
	ca, err := filepath.Abs(d.caFile())
	if err != nil {
		return fmt.Errorf("find the authority's certificate: %w", err)
	}
	stands := make([]stand, 0, len(d.talks))
	for _, t := range d.talks {
		l, err := d.login(t.tenant)
		if err != nil {
			return err
		}
		stands = append(stands, stand{Tenant: t.tenant, Endpoint: endpoint(t.tenant), Lines: t.lines, Login: l})
	}
	return reportTemplate.Execute(w, map[string]any{"Stands": stands, "CA": ca, "Kubeconfig": d.kubeconfig})
}
