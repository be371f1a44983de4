// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Identities, by the names that clusters give them.
const (
	operator    = "system:serviceaccount:chattenant-system:chattenant-operator"
	gateway     = "system:serviceaccount:chattenant-system:chattenant-gateway"
	certManager = "system:serviceaccount:cert-manager:cert-manager"
	person      = "alice@platform.example"
	addOn       = "system:serviceaccount:kube-system:coredns"
	impostor    = "system:serviceaccount:other:chattenant-operator"
	kubelet     = "system:node:eu-1"
	scheduler   = "system:kube-scheduler"
	replicaSets = "system:serviceaccount:kube-system:replicaset-controller"
	garbage     = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespaces  = "system:serviceaccount:kube-system:namespace-controller"
	// manager is how controllers appear that do not use accounts of their own.
	manager = "system:kube-controller-manager"
)

// everybody is who the matrices try.
var everybody = []string{
	operator, gateway, certManager, person, addOn, impostor, kubelet, scheduler, replicaSets, garbage, namespaces, manager,
}

// kubernetes is the control plane itself.
var kubernetes = []string{scheduler, replicaSets, garbage, namespaces, manager}

// tenantNamespace makes what is in testdata/tenant.yaml, once, each object by who makes it in a cluster.
var tenantNamespace = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := createAll(ctx, person, "regions.yaml"); err != nil {
		return err
	}
	if err := createAll(ctx, operator, "tenant.yaml"); err != nil {
		return err
	}
	if err := createAll(ctx, statefulSets, "claim.yaml"); err != nil {
		return err
	}
	if err := createAll(ctx, replicaSets, "pod.yaml"); err != nil {
		return err
	}
	for _, region := range []string{"eu-central", "us-east"} {
		if err := regionKnown(ctx, region); err != nil {
			return err
		}
	}
	return nil
})

// inTenantNamespace gives a test the namespace chat-acme.
func inTenantNamespace(t *testing.T) {
	t.Helper()
	if err := tenantNamespace(); err != nil {
		t.Fatal(err)
	}
}

func createAll(ctx context.Context, user, file string) error {
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	objects, err := decode(content)
	if err != nil {
		return err
	}
	c, err := impersonate(user, allRights)
	if err != nil {
		return err
	}
	for _, o := range objects {
		create := func(ctx context.Context, c client.Client) error { return c.Create(ctx, o) }
		if err := eventuallyAdmitted(ctx, c, create); err != nil {
			return fmt.Errorf("create %s %s as %s: %w", o.GetKind(), o.GetName(), user, err)
		}
	}
	return nil
}

// newObject is an object in the tenant's namespace.
func newObject(apiVersion, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	o.SetNamespace("chat-acme")
	return o
}

// attempt is something that one identity tries, without leaving anything behind.
type attempt func(ctx context.Context, c client.Client) error

func creation(o *unstructured.Unstructured) attempt {
	return func(ctx context.Context, c client.Client) error { return c.Create(ctx, o.DeepCopy(), client.DryRunAll) }
}

func patching(o *unstructured.Unstructured, body string) attempt {
	return patchingWith(types.MergePatchType, o, body)
}

func patchingWith(kind types.PatchType, o *unstructured.Unstructured, body string) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, o.DeepCopy(), client.RawPatch(kind, []byte(body)), client.DryRunAll)
	}
}

func patchingSubresource(o *unstructured.Unstructured, subresource, body string) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.SubResource(subresource).Patch(ctx, o.DeepCopy(),
			client.RawPatch("application/merge-patch+json", []byte(body)), client.DryRunAll)
	}
}

func deletion(o *unstructured.Unstructured) attempt {
	return func(ctx context.Context, c client.Client) error { return c.Delete(ctx, o.DeepCopy(), client.DryRunAll) }
}

// wantRefusal holds an attempt to a refusal by admission that says what to do.
func wantRefusal(t *testing.T, err error, message string) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), message) {
		t.Errorf("want a refusal with %q, got: %v", message, err)
	}
	if err != nil && message != "" {
		wantOneRefusing(t, err)
	}
}

// tries are how often eventually tries, a tenth of a second apart.
var tries = 300

// eventually is for policies whose parameters the API server learns of by watching. Until then others may refuse.
func eventually(t *testing.T, try func() error, message string) {
	t.Helper()
	var err error
	for range tries {
		if err = try(); err != nil && strings.Contains(err.Error(), message) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	wantRefusal(t, err, message)
}

// permission is something that some identities may do and all others are refused, with a message. Where the operator
// and others are refused with different ones, the message is empty.
type permission struct {
	name    string
	try     attempt
	allowed []string
	message string
}

// testMatrix lets everybody try everything.
func testMatrix(t *testing.T, permissions []permission) {
	t.Helper()
	for _, p := range permissions {
		for _, user := range everybody {
			if *mutate != "" && t.Failed() {
				return
			}
			t.Run(p.name+" as "+user, func(t *testing.T) {
				err := p.try(t.Context(), as(t, user))
				if !slices.Contains(p.allowed, user) {
					wantRefusal(t, err, p.message)
				} else if err != nil {
					t.Errorf("want no refusal, got: %v", err)
				}
			})
		}
	}
}

// labelTo and annotationTo are merge patches; an empty value takes the key away.
func labelTo(key, value string) string {
	return `{"metadata":{"labels":{"` + key + `":` + orNull(value) + `}}}`
}

func annotationTo(key, value string) string {
	return `{"metadata":{"annotations":{"` + key + `":` + orNull(value) + `}}}`
}

func orNull(value string) string {
	if value == "" {
		return "null"
	}
	return strconv.Quote(value)
}
