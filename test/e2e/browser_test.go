// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// browserScript drives widget and console in a real browser, see docs/web.md.
const browserScript = "chatserver/web/app/e2e-browser.mjs"

func TestAVisitorAndAnAgentChatInARealBrowser(t *testing.T) {
	tenant := getTenant(t, acme)
	authority := filepath.Join(t.TempDir(), "ca.crt")
	pair := secret(t, issuersNamespace, demoAuthoritySecret)
	if err := os.WriteFile(authority, pair.Data[corev1.TLSCertKey], 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	command := exec.CommandContext(t.Context(), "node", filepath.Join(root, browserScript))
	command.Stdout, command.Stderr = &said, &said
	command.Env = append(os.Environ(),
		"CHATTENANT_ENDPOINT="+tenant.Status.Endpoint.URL,
		"CHATTENANT_CA="+authority,
		"CHATTENANT_SITE="+string(tenant.Spec.Endpoint.AllowedOrigins[0]),
		"CHATTENANT_INVITATION="+invitation(t, acme, strings.ToLower(rand.Text())+"@e2e.example"))
	err := command.Run()
	t.Logf("\n%s", &said)
	if err != nil {
		t.Errorf("the browser's conversation failed: %v", err)
	}
}
