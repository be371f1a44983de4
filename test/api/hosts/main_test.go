// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

// Package hosts lets the operator and the ingress gateway watch the same ChatTenants, and holds them to one answer to
// whose a host is. Admission is left out: it refuses what these tests need, except at the very same moment.
package hosts

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/tenant"
	"github.com/chattenant/chattenant/gateway/routes"
	"github.com/chattenant/chattenant/test/apiserver"
)

var (
	config *rest.Config
	admin  client.Client
	scheme = runtime.NewScheme()
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, cmv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return 0, err
		}
	}
	certManager, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/cert-manager/cert-manager").Output()
	if err != nil {
		return 0, fmt.Errorf("find cert-manager's definitions: %w", err)
	}
	var stop func() error
	config, stop, err = apiserver.Start("", filepath.Join("..", "..", "..", "config", "crd", "bases"),
		filepath.Join(strings.TrimSpace(string(certManager)), "deploy", "crds"))
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	config.QPS = -1
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// startOperator runs the operator until the test ends.
func startOperator(t *testing.T) {
	t.Helper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: tenant.CacheOptions(), Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciler := &tenant.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Applier:  &apply.Applier{Reader: mgr.GetClient(), Writer: mgr.GetClient()},
		Recorder: mgr.GetEventRecorder("test"), Clock: clock.RealClock{}, Random: rand.Reader, PublicPort: 443,
		System: desired.System{
			Namespace: "chattenant-system", OperatorServiceAccount: "chattenant-operator",
			GatewayName: "chattenant-gateway", TenantClusterRole: "chattenant-tenant",
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := reconciler.SetupWithManager(ctx, mgr, 4); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// startGateway runs what an ingress gateway knows of hosts until the test ends.
func startGateway(t *testing.T) *routes.Table {
	t.Helper()
	table := routes.NewTable(nil)
	watcher, err := routes.NewWatcher(config, table, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		watcher.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	if !watcher.WaitForRoutes(ctx) {
		t.Fatal("the gateway knows no routes")
	}
	return table
}
