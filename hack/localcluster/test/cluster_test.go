//go:build cluster

// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/images"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	patience = 60 * time.Second
	// settle is how long a policy may take to be in force on every node.
	settle = 10 * time.Second
	poll   = 200 * time.Millisecond
	// tag of the image whose shell the tests use.
	postgresTag = "chattenant.local/postgres:local"
)

var layout = state.FromEnvironment(os.Getenv)

// localcluster prepares a command of the driver.
func localcluster(ctx context.Context, argv ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", append([]string{"run", "."}, argv...)...)
	command.Dir = ".."
	return command
}

// kubectl runs kubectl as the administrator and returns what it says.
func kubectl(ctx context.Context, stdin string, argv ...string) (string, error) {
	programs, err := filepath.Glob(filepath.Join(layout.Cache, "programs", "kubernetes-*", "kubectl"))
	if err != nil || len(programs) == 0 {
		return "", fmt.Errorf("kubectl is not built: %w", err)
	}
	argv = append([]string{"--kubeconfig", layout.AdminKubeconfig()}, argv...)
	command := exec.CommandContext(ctx, programs[0], argv...)
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(argv, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func mustKubectl(t *testing.T, argv ...string) string {
	t.Helper()
	output, err := kubectl(t.Context(), "", argv...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func apply(t *testing.T, objects ...any) {
	t.Helper()
	content, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kubectl(t.Context(), string(content), "apply", "--filename", "-"); err != nil {
		t.Fatal(err)
	}
}

// namespace makes a namespace that goes with the test.
func namespace(t *testing.T, name string) string {
	t.Helper()
	apply(t, map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
			"name": name, "labels": map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		},
	})
	t.Cleanup(func() {
		_, _ = kubectl(context.WithoutCancel(t.Context()), "", "delete", "namespace", name, "--wait", "--ignore-not-found")
	})
	return name
}

// postgresReference is the PostgreSQL image by digest: that one can be run without a registry is part of the promise.
func postgresReference(t *testing.T) string {
	t.Helper()
	node := topology.Nodes()[0].Name
	output, err := localcluster(t.Context(), "exec", node, "ctr", "--namespace", "k8s.io", "images", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(output), "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == postgresTag {
			return images.Image{Tag: postgresTag, Digest: fields[2]}.Reference()
		}
	}
	t.Fatalf("%s is not loaded: go -C hack/images run . --out DIR postgres, and load it", postgresTag)
	return ""
}

// pod is a shell in a region, which runs script and satisfies the restricted standard. volume may be nil.
func pod(t *testing.T, namespace, name, region, script string, volume map[string]any) map[string]any {
	t.Helper()
	if volume == nil {
		volume = map[string]any{"emptyDir": map[string]any{}}
	}
	volume["name"] = "data"
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "namespace": namespace, "labels": map[string]string{"name": name}},
		"spec": map[string]any{
			"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
			"nodeSelector": map[string]string{topology.RegionLabel: region},
			"securityContext": map[string]any{
				"runAsNonRoot": true, "runAsUser": 999, "fsGroup": 999,
				"seccompProfile": map[string]string{"type": "RuntimeDefault"},
			},
			"volumes": []any{volume},
			"containers": []any{map[string]any{
				"name": "shell", "image": postgresReference(t), "imagePullPolicy": "IfNotPresent",
				"command": []string{"bash", "-c", script},
				"securityContext": map[string]any{
					"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []string{"ALL"}},
				},
				"volumeMounts": []any{map[string]string{"name": "data", "mountPath": "/data"}},
			}},
		},
	}
}

func awaitReady(t *testing.T, namespace, name string) {
	t.Helper()
	mustKubectl(t, "wait", "--namespace", namespace, "--for=condition=Ready", "--timeout", patience.String(), "pod/"+name)
}

// podIP is the address of a Pod.
func podIP(t *testing.T, namespace, name string) string {
	t.Helper()
	return mustKubectl(t, "get", "pod", "--namespace", namespace, name, "--output", "jsonpath={.status.podIP}")
}

// eventually repeats check until it returns nil.
func eventually(t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(poll):
		}
	}
}
