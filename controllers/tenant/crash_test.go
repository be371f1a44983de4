// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// faults are what can befall a write. After those that kill, a fresh process takes over.
var faults = map[string]fault{
	"killed before it": func(w *wire, _ *http.Request) (*http.Response, error) {
		w.kill()
		return nil, errKilled
	},
	"killed after it": func(w *wire, r *http.Request) (*http.Response, error) {
		w.kill()
		response, err := w.send(r)
		if err == nil {
			_ = response.Body.Close()
		}
		return nil, errKilled
	},
	"its answer is lost": func(w *wire, r *http.Request) (*http.Response, error) {
		response, err := w.send(r)
		if err == nil {
			_ = response.Body.Close()
		}
		return nil, errKilled
	},
	"a conflict": func(*wire, *http.Request) (*http.Response, error) {
		return refusal(http.StatusConflict, metav1.StatusReasonConflict), nil
	},
	"too many requests": func(*wire, *http.Request) (*http.Response, error) {
		return refusal(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests), nil
	},
}

// lane is one tenant's life, lived over and over.
type lane struct {
	log    *eventLog
	tenant string
	lag    int
	world  *world
	// uids are those of the tenants so far, in their order.
	uids []string
}

// stages of a tenant's life. Each starts where the one before came to rest.
var stages = []struct {
	name string
	act  func(*lane, *testing.T)
}{
	{"creation", func(l *lane, t *testing.T) { l.create(t, v1alpha1.DeletionRetain, "") }},
	{"change", (*lane).change},
	{"deletion that retains", (*lane).delete},
	{"adoption", func(l *lane, t *testing.T) { l.create(t, v1alpha1.DeletionDelete, l.uids[0]) }},
	{"deletion of everything", (*lane).delete},
}

func (l *lane) create(t *testing.T, policy v1alpha1.DeletionPolicy, adopt string) {
	t.Helper()
	tenant := newTenant(l.tenant)
	tenant.Spec.DeletionPolicy, tenant.Spec.AdoptUID = policy, adopt
	if err := l.world.Create(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	l.uids = append(l.uids, string(tenant.UID))
}

// change touches what reaches certificates, configuration, workloads and keys.
func (l *lane) change(t *testing.T) {
	t.Helper()
	tenant := &v1alpha1.ChatTenant{}
	if err := l.world.Get(t.Context(), client.ObjectKey{Name: l.tenant}, tenant); err != nil {
		t.Fatal(err)
	}
	before := tenant.DeepCopy()
	tenant.Spec.Endpoint.Host = "moved." + tenant.Spec.Endpoint.Host
	tenant.Spec.Encryption = &v1alpha1.Encryption{
		Provider: v1alpha1.EncryptionSecret, Secret: &v1alpha1.SecretKey{Generation: 2}}
	if err := l.world.Patch(t.Context(), tenant, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func (l *lane) delete(t *testing.T) {
	t.Helper()
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: l.tenant}}
	if err := l.world.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
}

// live lives one life with a fault at the n-th write of every stage. It answers what each stage came to, and how many
// of the faults happened.
func (l *lane) live(t *testing.T, n int, f fault) (dumps []string, met int) {
	t.Helper()
	made := map[string]string{}
	l.uids = nil
	for _, stage := range stages {
		stage.act(l, t)
		l.log.await(t, l.world.wire.takeHeard())
		if l.settle(t, n, f) {
			met++
		}
		now := keys(t, l.tenant)
		for name, uid := range made {
			if len(now) > 0 && now[name] != uid {
				t.Fatalf("%s: %s was replaced", stage.name, name)
			}
		}
		made = now
		text := dump(t, admin, l.tenant)
		for i, uid := range l.uids {
			text = strings.ReplaceAll(text, uid, fmt.Sprintf("uid-of-tenant-%d", i))
		}
		// The published trust document says since when things hold.
		dumps = append(dumps, instant.ReplaceAllString(text, "an instant"))
	}
	return dumps, met
}

// instant is a time as the API writes it.
var instant = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z`)

// settle lets operator and world work until neither has anything to do. It answers whether the fault happened.
func (l *lane) settle(t *testing.T, n int, f fault) bool {
	t.Helper()
	met := false
	p := startProcess(t, l.log, l.tenant, l.lag)
	p.wire.at, p.wire.fault = n, f
	for range mostPasses {
		if !p.rest(t) {
			p.end(t)
			met = true
			p = startProcess(t, l.log, l.tenant, l.lag)
			continue
		}
		if !l.world.step(t) {
			met = met || p.wire.met
			p.end(t)
			return met
		}
		l.log.await(t, l.world.wire.takeHeard())
	}
	t.Fatalf("operator and world do not come to rest: %s", story(t, l.tenant))
	return met
}

// newLane lives a tenant's life once without faults, to know what it has to come to.
func newLane(t *testing.T, log *eventLog, tenant string) (*lane, []string) {
	t.Helper()
	l := &lane{log: log, tenant: tenant, world: newWorld(t, tenant)}
	clean, _ := l.live(t, 0, nil)
	wantWholeLife(t, clean)
	return l, clean
}

// wantWholeLife holds the life without faults to what it is: else the others would be compared with nothing.
func wantWholeLife(t *testing.T, dumps []string) {
	t.Helper()
	for i, ready := range []bool{true, true, false, true, false} {
		if got := strings.Contains(dumps[i], "message: Every phase is done"); got != ready {
			t.Fatalf("%s: ready is %v\n%s", stages[i].name, got, dumps[i])
		}
	}
	if dumps[4] != "[]\n" {
		t.Fatalf("after %s there is\n%s", stages[4].name, dumps[4])
	}
}

// crashNode is where the lanes' pods and volumes are.
const crashNode = "eu-crash"

// crashPlatform is what the lanes need beside the platform.
func crashPlatform(t *testing.T) {
	t.Helper()
	platform(t)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: crashNode, Labels: map[string]string{
		"node-restriction.kubernetes.io/region": "eu-central", "kubernetes.io/hostname": crashNode}}}
	if err := admin.Create(t.Context(), node); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

// apart is how many writes the kinds of faults begin apart.
const apart = 5

// stride is how many writes apart one kind of fault happens. By default every fifth write fails, in one way; with 1
// every write fails in every way, which takes long.
var stride = flag.Int("crash.stride", apart*len(faults), "writes from one fault to the next of its kind")

// TestAFaultAtAnyWriteLeavesNoTrace lets writes of a tenant's creation, change, deletion, adoption and final
// deletion fail, and compares what comes of it, object by object, with a life without faults.
func TestAFaultAtAnyWriteLeavesNoTrace(t *testing.T) {
	t.Parallel()
	crashPlatform(t)
	log := startEventLog(t)
	for i, name := range slices.Sorted(maps.Keys(faults)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, clean := newLane(t, log, fmt.Sprintf("crash-%d", i))
			everyWrite(t, l, clean, 1+apart*i%*stride, faults[name])
		})
	}
}

// TestACacheThatLagsLeavesNoTrace lets the operator know of the last few events only when nothing else happens, and
// kills it at every write besides.
func TestACacheThatLagsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	crashPlatform(t)
	log := startEventLog(t)
	l, clean := newLane(t, log, "lagging")
	lags := []int{2, 100}
	if *stride == 1 {
		lags = []int{1, 2, 5, 20, 100}
	}
	for _, l.lag = range lags {
		got, _ := l.live(t, 0, nil)
		compare(t, fmt.Sprintf("a lag of %d", l.lag), clean, got)
	}
	l.lag = 4
	everyWrite(t, l, clean, 1, faults["killed after it"])
}

// TestAnotherOperatorAtAnyWriteLeavesNoTrace stops the operator before every single write, as a machine that sleeps
// does, lets another one do everything there is to do, and then the first go on with what it meant to write.
func TestAnotherOperatorAtAnyWriteLeavesNoTrace(t *testing.T) {
	t.Parallel()
	crashPlatform(t)
	log := startEventLog(t)
	l, clean := newLane(t, log, "rivals")
	everyWrite(t, l, clean, 1, func(w *wire, r *http.Request) (*http.Response, error) {
		l.settle(t, 0, nil)
		return w.send(r)
	})
}

// everyWrite lives one life after the other with a fault at each write from the first one on, a stride apart, until
// there is no further write.
func everyWrite(t *testing.T, l *lane, clean []string, first int, f fault) {
	t.Helper()
	for n := first; ; n += *stride {
		got, met := l.live(t, n, f)
		compare(t, fmt.Sprintf("fault at write %d", n), clean, got)
		if t.Failed() {
			t.Fatal(story(t, l.tenant))
		}
		if met == 0 {
			t.Logf("the longest stage writes at most %d times", n-1)
			return
		}
	}
}

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	for i := range want {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("%s, after %s (-clean +now):\n%s", what, stages[i].name, diff)
			return
		}
	}
}
