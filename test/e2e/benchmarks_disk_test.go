// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trace is something that was written into a volume.
type trace struct {
	// text is nowhere else.
	text, node string
	// pool is the folder of all volumes of the node, also of those that no tenant has yet.
	pool string
}

// leaveTrace writes into a tenant's volume, on the disk, and finds it there.
func leaveTrace(t *testing.T, volume string) trace {
	t.Helper()
	found := &corev1.PersistentVolume{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: volume}, found); err != nil {
		t.Fatalf("read volume: %v", err)
	}
	if found.Spec.Local == nil {
		t.Fatalf("volume %s is not on a disk of a node", volume)
	}
	folder := found.Spec.Local.Path
	left := trace{text: rand.Text(), node: nodesOfVolume(t, volume)[0], pool: path.Dir(folder)}
	onNode(t, left.node, fmt.Sprintf("echo %s > %s/e2e-trace", left.text, folder))
	if files := left.files(t); files != folder+"/e2e-trace" {
		t.Fatalf("the trace is found in %q, want the volume: a search proves nothing", files)
	}
	return left
}

// files are those of all volumes of the node that have the trace.
func (l trace) files(t *testing.T) string {
	t.Helper()
	// Files of other tenants come and go meanwhile.
	return onNode(t, l.node, fmt.Sprintf("grep -rlsF %s %s || true", l.text, l.pool))
}

// onNode runs a line of shell on a node of the local cluster.
func onNode(t *testing.T, node, line string) string {
	t.Helper()
	out, err := output(context.WithoutCancel(t.Context()),
		"go", "-C", filepath.Join(root, "hack/localcluster"), "run", ".", "exec", node, "sh", "-c", line)
	if err != nil {
		t.Fatalf("on node %s: %v", node, err)
	}
	return out
}
