// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

// Package api tests what the API server itself enforces: schemas, CEL rules, admission policies and roles. Everything
// runs against a real kube-apiserver and etcd, started for these tests alone.
package api

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/chattenant/chattenant/test/apiserver"
)

// root is the repository's, seen from this package.
var root = filepath.Join("..", "..")

// admin is the configuration of a client that may do everything, and impersonate anybody.
var admin *rest.Config

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	code, err := runWithServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithServer(m *testing.M) (code int, err error) {
	assets, err := binaries(context.Background())
	if err != nil {
		return 0, err
	}
	var stop func() error
	if admin, stop, err = apiserver.Start(assets); err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stop API server: %w", stopErr)
		}
	}()
	if err := install(); err != nil {
		return 0, fmt.Errorf("install: %w", err)
	}
	return m.Run(), nil
}

// binaries is the directory of kube-apiserver, etcd and kubectl: KUBEBUILDER_ASSETS, or else the local cluster's own.
func binaries(ctx context.Context) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	command := exec.CommandContext(ctx, "go", "run", ".", "bin")
	command.Dir = filepath.Join(root, "hack", "localcluster")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find kube-apiserver and etcd: %w", err)
	}
	return string(bytes.TrimSpace(out)), nil
}
