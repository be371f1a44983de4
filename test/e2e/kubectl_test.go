// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// kubectl runs kubectl as a user does and returns what it prints.
func kubectl(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	out, err := live.runKubectl(t.Context(), input, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *cluster) runKubectl(ctx context.Context, input string, arguments ...string) (string, error) {
	var out, errs bytes.Buffer
	command := exec.CommandContext(ctx, c.kubectl, arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &errs
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, &errs)
	}
	return out.String(), nil
}

func TestKubectlWaitsForReadyAndSaysSo(t *testing.T) {
	for _, tenant := range []string{acme, globex} {
		out := kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=30s", "chattenant/"+tenant)
		if !strings.Contains(out, "condition met") {
			t.Errorf("kubectl wait says %q", out)
		}
	}
}

func TestKubectlGetShowsWhatAnOperatorOfTenantsAsksFirst(t *testing.T) {
	narrow := kubectl(t, "", "get", "chattenants")
	t.Logf("kubectl get chattenants\n%s", narrow)
	wantHeader(t, narrow, "NAME", "READY", "REGION", "HOST", "CLASS", "AGE")
	wide := kubectl(t, "", "get", "chattenants", "-o", "wide")
	t.Logf("kubectl get chattenants -o wide\n%s", wide)
	wantHeader(t, wide, "NAME", "READY", "REGION", "HOST", "CLASS", "AGE", "REASON", "MESSAGE")
	wantRow(t, wide, acme, "True", "eu-central", "acme.localhost", demoClass)
	wantRow(t, wide, globex, "True", "us-east", "globex.localhost", demoClass)
	for _, kind := range []string{"chattenantclasses", "dataregions", "subprocessors"} {
		t.Logf("kubectl get %s\n%s", kind, kubectl(t, "", "get", kind))
	}
}

func TestKubectlDescribeTellsTheWholeStory(t *testing.T) {
	story := kubectl(t, "", "describe", "chattenant", acme)
	t.Logf("kubectl describe chattenant %s\n%s", acme, story)
	for _, want := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionGuardrailsInPlace, v1alpha1.ConditionEncryptionReady,
		v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionDatabaseReady, v1alpha1.ConditionChatServerReady,
		v1alpha1.ConditionEndpointReady, v1alpha1.ConditionPlacementVerified, "https://acme.localhost",
		"Key Generation", "eu-central", "chat-acme",
	} {
		if !strings.Contains(story, want) {
			t.Errorf("kubectl describe does not mention %q", want)
		}
	}
}

func wantHeader(t *testing.T, table string, want ...string) {
	t.Helper()
	head, _, _ := strings.Cut(table, "\n")
	if got := strings.Join(strings.Fields(head), " "); got != strings.Join(want, " ") {
		t.Errorf("columns: want %v, got %s", want, got)
	}
}

// wantRow looks for a row by its name and compares the columns that follow.
func wantRow(t *testing.T, table, name string, want ...string) {
	t.Helper()
	for row := range strings.Lines(table) {
		columns := strings.Fields(row)
		if len(columns) <= len(want) || columns[0] != name {
			continue
		}
		if got := strings.Join(columns[1:len(want)+1], " "); got != strings.Join(want, " ") {
			t.Errorf("%s: want %v, got %s", name, want, got)
		}
		return
	}
	t.Errorf("no row for %s", name)
}
