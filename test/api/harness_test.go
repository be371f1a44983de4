// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// allRights is a group that only these tests know. Its members are stopped by admission or not at all, so that a
// refusal shows the policy and not a missing right.
const allRights = "test:all-rights"

// patience is for machines that do other things besides; nothing here takes a tenth of it on an idle one.
const patience = 3 * time.Minute

// install applies config/default the way `kubectl apply --server-side -k` does, and what the tests need around it.
func install() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rendered, err := tool(ctx, "kustomize", "build", filepath.Join(root, "config", "default"))
	if err != nil {
		return err
	}
	surroundings, err := os.ReadFile(filepath.Join("testdata", "surroundings.yaml"))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	objects, err := decode(append(append(surroundings, "\n---\n"...), rendered...))
	if err != nil {
		return err
	}
	c, err := impersonate("")
	if err != nil {
		return err
	}
	for _, o := range objects {
		if second := warning(o); second != nil {
			objects = append(objects, second)
		}
	}
	for _, o := range objects {
		if err := applyEventually(ctx, c, o); err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return inForce(ctx)
}

// applyEventually waits for definitions to be served, which takes a moment.
func applyEventually(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("install"))
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// tool runs a program that `make tools` builds.
func tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", name), args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("run %s: build it first with make bin/%s", name, name)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", name, err, stderr.String())
	}
	return out, nil
}

func decode(manifests []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode manifest: %w", err)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// unlimited lifts the client's own rate limit.
func unlimited(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.QPS = -1
	return c
}

func adminClient(t *testing.T) client.Client {
	t.Helper()
	return must(impersonate(""))(t)
}

// as acts in another's name, with all rights.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	return must(impersonate(user, allRights))(t)
}

func must(c client.Client, err error) func(t *testing.T) client.Client {
	return func(t *testing.T) client.Client {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// clients are kept by their user's name: each asks the API server what it serves when it is new.
var clients sync.Map

// impersonate returns the client of a user; that of nobody may do everything.
func impersonate(user string, groups ...string) (client.Client, error) {
	if known, ok := clients.Load(user); ok {
		if c, ok := known.(client.Client); ok {
			return c, nil
		}
	}
	config := unlimited(admin)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	heeding(config)
	c, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make client of %q: %w", user, err)
	}
	clients.Store(user, c)
	return c, nil
}

// manifest is the only object in a file under testdata.
func manifest(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 {
		t.Fatalf("%s.yaml holds %d objects, want 1", name, len(objects))
	}
	return objects[0]
}
