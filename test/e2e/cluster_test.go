// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/test/e2e/auditlog"
)

// Where `make demo` installs the product, and what it leaves running.
const (
	systemNamespace = "chattenant-system"
	operatorAccount = "chattenant-operator"
	operatorUser    = "system:serviceaccount:" + systemNamespace + ":" + operatorAccount
	gatewayName     = "chattenant-gateway"
	demoClass       = "standard"

	acme   = "acme"
	globex = "globex"
)

// root is the repository's root, seen from this package's folder, in which `go test` runs it.
const root = "../.."

// clusterScript brings clusters up and knows where they are.
var clusterScript = filepath.Join(root, "hack/localcluster/cluster.sh")

// cluster is the administrator's way into the cluster under test.
type cluster struct {
	client.Client
	kube       kubernetes.Interface
	config     *rest.Config
	kubeconfig string
	// kubectl is the program's path.
	kubectl string
	audit   auditlog.Log
}

func connect(ctx context.Context) (*cluster, error) {
	path, err := kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	// The client library insists on being told where to log; these tests look at answers.
	log.SetLogger(logr.Discard())
	// The client's own throttle would slow the tests down and tell nothing about the product.
	config.QPS = -1
	config.UserAgent = "chattenant-e2e"
	c := &cluster{config: config, kubeconfig: path}
	if c.audit, err = openAuditLog(ctx); err != nil {
		return nil, err
	}
	if c.kubectl, err = findKubectl(ctx); err != nil {
		return nil, err
	}
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("build client: %w", err)
	}
	c.Client, err = client.New(config, client.Options{Scheme: scheme()})
	return c, err
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, cmv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		// Registering compiled-in types fails only if they contradict each other: a mistake of the build.
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

func kubeconfig(ctx context.Context) (string, error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return path, nil
	}
	return output(ctx, clusterScript, "kubeconfig")
}

func openAuditLog(ctx context.Context) (auditlog.Log, error) {
	path, err := localCluster(ctx, "audit-log")
	if err != nil {
		return auditlog.Log{}, err
	}
	return auditlog.Open(path)
}

// findKubectl prefers the user's own; the local cluster builds one.
func findKubectl(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	folder, err := output(ctx, clusterScript, "bin")
	return filepath.Join(folder, "kubectl"), err
}

// localCluster asks the local cluster for what other clusters cannot tell.
func localCluster(ctx context.Context, question string) (string, error) {
	return output(ctx, "go", "-C", filepath.Join(root, "hack/localcluster"), "run", ".", question)
}

// output runs a command and returns what it prints.
func output(ctx context.Context, name string, argv ...string) (string, error) {
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, name, argv...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(argv, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// ready says why a tenant is not Ready; nil if it is.
func (c *cluster) ready(ctx context.Context, name string) error {
	tenant := &v1alpha1.ChatTenant{}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return err
	}
	condition := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
	if condition == nil || condition.Status != "True" {
		return fmt.Errorf("ChatTenant %s: %v", name, condition)
	}
	return nil
}

// installed waits until the demo's tenants are Ready.
func (c *cluster) installed(ctx context.Context) error {
	for _, name := range []string{acme, globex} {
		var last error
		err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
			last = c.ready(ctx, name)
			return last == nil, nil
		})
		if err != nil {
			return errors.Join(last, err)
		}
	}
	return nil
}

// demoAtRest says what is still to come of the demo's tenants: new images roll out, and probes take their part of the
// quota.
func (c *cluster) demoAtRest(ctx context.Context) error {
	for _, name := range []string{acme, globex} {
		tenant := &v1alpha1.ChatTenant{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
			return err
		}
		err := errors.Join(atRest(tenant), c.noProbes(ctx, client.InNamespace(naming.Namespace(name))))
		if err != nil {
			return err
		}
	}
	return nil
}

// ignoreNotFound makes a deletion of something that is gone a success.
func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
