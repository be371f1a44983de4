// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"crypto/rand"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
)

// process is one operator, as far as one tenant sees it: it is asked for a pass when its cache learns of something,
// when the last one failed, and when the last one wanted another.
type process struct {
	reconciler *Reconciler
	view       *view
	wire       *wire
	tenant     string
	// again means that the last pass asked for another.
	again bool
}

func startProcess(t *testing.T, l *eventLog, tenant string, lag int) *process {
	t.Helper()
	writer, w := wired(t, asOperator())
	v := l.newView(tenant, lag)
	c := viewClient{writer, v}
	return &process{view: v, wire: w, tenant: tenant, reconciler: &Reconciler{
		Client: c, Live: writer, Applier: &apply.Applier{Reader: c, Writer: c}, Recorder: silent{},
		Clock:  clock.RealClock{},
		Random: rand.Reader, PublicPort: 8443,
		System: desired.System{
			Namespace: systemNamespace, OperatorServiceAccount: operatorAccount,
			GatewayName: "chattenant-gateway", TenantClusterRole: "chattenant-tenant",
		},
	}}
}

// silent drops events.
type silent struct{ events.EventRecorder }

func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// mostPasses are far more than any tenant needs, if they last longer than patience besides: how many there are while
// the authoriser has not learned of new rights depends on the machine.
const mostPasses = 200

// rest lets the process work until it waits for something. It answers false where the process was killed.
func (p *process) rest(t *testing.T) bool {
	t.Helper()
	for passes, began := 0, time.Now(); passes < mostPasses || time.Since(began) < patience; passes++ {
		if !p.view.takeWake() && !p.again {
			return true
		}
		result, err := p.reconciler.Reconcile(t.Context(), request(p.tenant))
		if p.wire.dead {
			return false
		}
		p.again = err != nil || result.RequeueAfter > 0
		if p.again {
			// The authoriser learns of new rights by watching.
			time.Sleep(5 * time.Millisecond)
		}
		p.view.log.await(t, p.wire.takeHeard())
	}
	t.Fatalf("the operator does not come to rest: %s", story(t, p.tenant))
	return false
}

// end drops the process.
func (p *process) end(t *testing.T) {
	t.Helper()
	p.view.close()
	p.view.log.await(t, p.wire.takeHeard())
}

var _ client.Client = viewClient{}
