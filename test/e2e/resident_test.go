// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// resident is a tenant that tests share: it is made by the first test that needs it and removed after the last.
type resident struct {
	name string
	make func() error
}

// neighbour shares acme's node, and is the tenant that tests may break. The exporters have recipients, on different
// ports, one in each region. The two overseas are there for the whole proof only.
var (
	neighbourTenant  = newResident("neighbour", nil)
	exporterTenant   = newResident("exporter", exports)
	overseasTenant   = newResident("overseas", overseas)
	overseasExporter = newResident("overseas-exporter", func(tenant *v1alpha1.ChatTenant) []client.Object {
		tenant.Spec.SubProcessors = using(elsewhereHost)
		overseas(tenant)
		return []client.Object{recipientAt(elsewhereHost, 8443)}
	})
)

// neighbour and exporter are the names of the first two.
const (
	neighbour = ownPrefix + "neighbour"
	exporter  = ownPrefix + "exporter"
)

func overseas(tenant *v1alpha1.ChatTenant) []client.Object {
	tenant.Spec.Region = "us-east"
	return nil
}

// newResident describes a tenant like newTenant's, changed, and what must exist before it.
func newResident(name string, change func(*v1alpha1.ChatTenant) []client.Object) *resident {
	return &resident{name: ownPrefix + name, make: sync.OnceValue(func() error {
		tenant := newTenant(name)
		var before []client.Object
		if change != nil {
			before = change(tenant)
		}
		for _, o := range before {
			o.SetLabels(map[string]string{temporaryLabel: ""})
		}
		for _, o := range append(before, tenant) {
			if err := live.Create(context.Background(), o); err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create %T %s: %w", o, o.GetName(), err)
			}
		}
		return nil
	})}
}

// withResidents waits until the tenants serve. Those that are new start at the same time.
func withResidents(t *testing.T, residents ...*resident) []string {
	t.Helper()
	var names []string
	var errs []error
	for _, r := range residents {
		errs = append(errs, r.make())
		names = append(names, r.name)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		awaitReady(t, name)
		awaitSettled(t, name, naming.ChatServer)
		awaitSettled(t, name, naming.Postgres)
	}
	return names
}

// withNeighbour waits until the neighbour serves.
func withNeighbour(t *testing.T) *v1alpha1.ChatTenant {
	t.Helper()
	return getTenant(t, withResidents(t, neighbourTenant)[0])
}

// residents are the tenants of the matrix: three and one with recipients, six over both regions for the whole proof.
func residents(t *testing.T) []string {
	t.Helper()
	shared := []*resident{neighbourTenant, exporterTenant}
	if fullProof() {
		shared = append(shared, overseasTenant, overseasExporter)
	}
	return append([]string{acme, globex}, withResidents(t, shared...)...)
}
