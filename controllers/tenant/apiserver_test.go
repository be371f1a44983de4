// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/test/apiserver"
)

// cluster is a real API server with nothing behind it: no scheduler, no kubelet, no other controller. What those
// would report, the tests report.
var (
	config *rest.Config
	scheme = newTestScheme()
	admin  client.Client
)

func newTestScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, cmv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

func TestMain(m *testing.M) { os.Exit(runWithAPIServer(m)) }

func runWithAPIServer(m *testing.M) int {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	var stop func() error
	var err error
	config, stop, err = apiserver.Start("", filepath.Join("..", "..", "config", "crd", "bases"),
		filepath.Join(certManagerModule(), "deploy", "crds"))
	if err != nil {
		println(err.Error())
		return 1
	}
	defer func() { _ = stop() }()
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		println("connect to the API server:", err.Error())
		return 1
	}
	if err := installRights(context.Background()); err != nil {
		println("give the operator its rights:", err.Error())
		return 1
	}
	return m.Run()
}

func certManagerModule() string {
	const module = "github.com/cert-manager/cert-manager"
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
}

// writeLog notes the requests of a client that change something, leases and events aside.
type writeLog struct {
	mu    sync.Mutex
	paths []string
	// underWay are the requests that have no answer yet.
	underWay int
}

// quiet says that there is no request under way.
func (l *writeLog) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.underWay == 0
}

func (l *writeLog) count(requests int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay += requests
}

// about are those that concern a tenant: the others of the test's world may have reasons of their own.
func (l *writeLog) about(tenant string) (paths []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range l.paths {
		if path := path + "/"; strings.Contains(path, "/"+naming.Namespace(tenant)+"/") ||
			strings.Contains(path, "/chattenants/"+tenant+"/") {
			paths = append(paths, path)
		}
	}
	return paths
}

type writeCounter struct {
	next   http.RoundTripper
	writes *writeLog
}

func (w writeCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	w.writes.count(1)
	defer w.writes.count(-1)
	if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/events") {
		w.writes.mu.Lock()
		w.writes.paths = append(w.writes.paths, r.Method+" "+r.URL.Path)
		w.writes.mu.Unlock()
	}
	return w.next.RoundTrip(r)
}

// startOperator runs the operator until the test or the returned function ends it, and counts its writes.
func startOperator(t *testing.T) (writes *writeLog, stop func()) {
	t.Helper()
	writes = &writeLog{}
	return writes, startOperatorWith(t, func(next http.RoundTripper) http.RoundTripper {
		return writeCounter{next, writes}
	})
}

// startOperatorWith runs the operator behind something that sees its requests.
func startOperatorWith(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) (stop func()) {
	t.Helper()
	return startOperatorAt(t, clock.RealClock{}, wrap)
}

// startOperatorAt runs it by a clock of the test's.
func startOperatorAt(
	t *testing.T, now clock.PassiveClock, wrap func(http.RoundTripper) http.RoundTripper,
) (stop func()) {
	t.Helper()
	counted := asOperator()
	counted.Wrap(wrap)
	mgr, err := ctrl.NewManager(counted, ctrl.Options{
		Scheme: scheme, Cache: CacheOptions(), Metrics: metricsserver.Options{BindAddress: "0"},
		// The controller's name is registered once per process; tests start several operators.
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciler := &Reconciler{
		Client: begins{mgr.GetClient()}, Live: mgr.GetAPIReader(),
		Outside:  []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")},
		Applier:  &apply.Applier{Reader: mgr.GetClient(), Writer: mgr.GetClient()},
		Recorder: mgr.GetEventRecorder("test"), Clock: now, Random: rand.Reader, PublicPort: 8443,
		System: desired.System{
			Namespace: systemNamespace, OperatorServiceAccount: operatorAccount,
			GatewayName: "chattenant-gateway", TenantClusterRole: "chattenant-tenant",
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := reconciler.SetupWithManager(ctx, mgr, 2); err != nil {
		t.Fatal(err)
	}
	ended, unwatched := make(chan error, 1), watching(mgr.GetCache())
	go func() { ended <- mgr.Start(ctx) }()
	stop = func() {
		unwatched()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("operator: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

// patience is for machines that do other things besides: what takes a second on an idle one took more than thirty
// beside sixty busy processes.
const patience = 2 * time.Minute

// eventually waits until a check holds; it fails the test with the last thing the check said.
func eventually(t *testing.T, what string, check func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	problem := check()
	for ; problem != "" && time.Now().Before(deadline); problem = check() {
		time.Sleep(50 * time.Millisecond)
	}
	if problem != "" {
		t.Fatalf("%s: %s", what, problem)
	}
}

// settled waits until the operator has come to rest over a tenant: it has heard of all that there is, no request is
// under way, and for a while no pass began and nothing was written. It answers what was written until then.
func settled(t *testing.T, writes *writeLog, tenant string) []string {
	t.Helper()
	last, passes := writes.about(tenant), passesOver(tenant)
	deadline := time.Now().Add(patience)
	for calm := 0; calm < 15; calm++ {
		time.Sleep(100 * time.Millisecond)
		now, begun := writes.about(tenant), passesOver(tenant)
		problem := ""
		if calm == 14 {
			problem = unheardOf(t, tenant)
		}
		if len(now) != len(last) || begun != passes || !writes.quiet() || problem != "" {
			last, passes, calm = now, begun, -1
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come to rest: %d passes, %s; it wrote %v", tenant, begun, problem, now)
		}
	}
	return last
}
