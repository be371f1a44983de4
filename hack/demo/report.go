// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"path/filepath"
)

// report says what stands now and where to look.
func (d *demo) report(w io.Writer) {
	for _, t := range d.talks {
		login, err := d.login(t.tenant)
		if err != nil {
			login.Email, login.Password = "unknown", err.Error()
		}
		fmt.Fprintf(w, "\n%s\n", t.tenant)
		for _, line := range t.lines {
			fmt.Fprintf(w, "  %s\n", line)
		}
		fmt.Fprintf(w, "  console  %s/console/   %s  %s\n", endpoint(t.tenant), login.Email, login.Password)
		fmt.Fprintf(w, "  widget   %s/widget/    on a site: <script src=\"%[1]s/widget.js\" async></script>\n", endpoint(t.tenant))
	}
	ca, err := filepath.Abs(d.caFile())
	if err != nil {
		ca = d.caFile()
	}
	fmt.Fprintf(w, `
Browsers ask about the certificates until they trust this authority: %s
Look around:
  export KUBECONFIG=%s
  kubectl get chattenants -o wide
  kubectl describe chattenant acme
  kubectl -n chat-acme get pods,networkpolicies,certificates -o wide
Try deleting a policy, and see it come back. Remove everything: make cluster-down
`, ca, d.kubeconfig)
}
