// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

var (
	interleaveSeed = flag.Uint64("interleave.seed", 0, "repeat the interleaving of this seed; 0 takes new ones")
	interleaveFor  = flag.Duration("interleave.for", 8*time.Second, "begin interleavings for this long")
)

// schedule lets two operators, the world and a script of edits act on one tenant, one request at a time, in an order
// that its seed decides. Either operator may be overtaken, or die, before any request that it sends.
type schedule struct {
	*lane

	random    *rand.Rand
	operators [2]*operatorActor
	script    []edit
	// now is who acts: whoever acts goes on for a while.
	now int
	// told is what happened, for the message of a failed test.
	told []string
}

// edit is one thing that people do. It answers false where it cannot be done yet.
type edit struct {
	name string
	act  func(*schedule, *testing.T) bool
}

// TestTwoOperatorsInAnyOrderComeToTheSame lets two operators with caches that lag work on a tenant that is created,
// changed and deleted meanwhile. What comes of it is what one undisturbed operator makes, and nothing is left behind.
func TestTwoOperatorsInAnyOrderComeToTheSame(t *testing.T) {
	t.Parallel()
	crashPlatform(t)
	log := startEventLog(t)
	l := &lane{log: log, tenant: "interleaved", world: newWorld(t, "interleaved")}
	clean := undisturbed(t, l)
	began, rounds := time.Now(), 0
	for ; rounds == 0 || *interleaveSeed == 0 && time.Since(began) < *interleaveFor; rounds++ {
		seed := *interleaveSeed
		if seed == 0 {
			seed = rand.Uint64() //nolint:gosec // It decides who goes first.
		}
		s := newSchedule(t, l, seed)
		s.run(t)
		s.wantSame(t, seed, clean)
		s.wantRest(t, seed)
		s.script = []edit{{"delete", (*schedule).remove}}
		s.run(t)
		s.end(t)
		if left := dump(t, admin, l.tenant); left != "[]\n" {
			t.Fatalf("left behind: %s\n%s", left, s.story(seed))
		}
	}
	t.Logf("%d interleavings", rounds)
}

// undisturbed is what one operator makes of a tenant, with the name that it has in the end.
func undisturbed(t *testing.T, l *lane) string {
	t.Helper()
	l.create(t, v1alpha1.DeletionDelete, "")
	change(t, l.tenant, rename)
	l.log.await(t, l.world.wire.takeHeard())
	l.settle(t, 0, nil)
	clean := settledState(t, l.tenant)
	if !strings.Contains(clean, "message: Every phase is done") {
		t.Fatalf("the undisturbed operator came to\n%s", clean)
	}
	l.delete(t)
	l.log.await(t, l.world.wire.takeHeard())
	l.settle(t, 0, nil)
	return clean
}

func rename(s *v1alpha1.ChatTenantSpec) { s.Endpoint.Host = "renamed.example.test" }

// settledState is a tenant with all that it has, without its history.
func settledState(t *testing.T, tenant string) string {
	t.Helper()
	live := liveTenant(t, tenant)
	text := strings.ReplaceAll(dump(t, admin, tenant), string(live.UID), "uid-of-tenant")
	text = instant.ReplaceAllString(text, "an instant")
	return pastOf.ReplaceAllString(text, "")
}

// pastOf is whose data a tenant took up, how often it was changed, and who made the changes of these tests.
var pastOf = regexp.MustCompile(`(?m)^ +(f:adoptUID|adoptUID|generation): .*\n|observedGeneration: .*`)

func newSchedule(t *testing.T, l *lane, seed uint64) *schedule {
	t.Helper()
	s := &schedule{lane: l, random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // It decides who goes first.
	policy := []v1alpha1.DeletionPolicy{v1alpha1.DeletionDelete, v1alpha1.DeletionRetain}[s.random.IntN(2)]
	s.script = []edit{
		{"create with " + string(policy), func(s *schedule, t *testing.T) bool { return s.make(t, policy) }},
		{"rename", (*schedule).renameTenant},
		{"delete", (*schedule).remove},
		{"create again", func(s *schedule, t *testing.T) bool { return s.make(t, v1alpha1.DeletionDelete) }},
		{"rename", (*schedule).renameTenant},
	}
	for i := range s.operators {
		s.operators[i] = startActor(t, l, s.random.IntN(6))
	}
	return s
}

// make creates the tenant once the one before is gone, and lets it take up what that one left.
func (s *schedule) make(t *testing.T, policy v1alpha1.DeletionPolicy) bool {
	t.Helper()
	tenant := newTenant(s.tenant)
	tenant.Spec.DeletionPolicy = policy
	left := &corev1.Namespace{}
	err := admin.Get(t.Context(), client.ObjectKey{Name: naming.Namespace(s.tenant)}, left)
	if err == nil && left.DeletionTimestamp.IsZero() {
		tenant.Spec.AdoptUID = left.Annotations[v1alpha1.AnnotationTenantUID]
	}
	err = s.world.Create(t.Context(), tenant)
	if apierrors.IsAlreadyExists(err) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func (s *schedule) renameTenant(t *testing.T) bool {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"endpoint":{"host":"renamed.example.test"}}}`))
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: s.tenant}}
	if err := s.world.Patch(t.Context(), tenant, patch); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return true
}

func (s *schedule) remove(t *testing.T) bool {
	t.Helper()
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: s.tenant}}
	if err := s.world.Delete(t.Context(), tenant); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return true
}

// Who can act.
const (
	worldActs = iota + 2
	scriptActs
	actors
)

// run lets everybody act until nobody has anything to do.
func (s *schedule) run(t *testing.T) {
	t.Helper()
	began := time.Now()
	for idle := 0; idle < 1; {
		if len(s.told) > 20_000 && time.Since(began) > patience {
			t.Fatalf("nobody comes to rest:\n%s\n%s", strings.Join(s.told[len(s.told)-200:], "\n"), story(t, s.tenant))
		}
		if s.random.IntN(8) == 0 {
			s.now = s.random.IntN(actors)
		}
		if s.act(t, s.now) {
			continue
		}
		if s.allIdle(t) {
			idle++
			continue
		}
		s.now = s.random.IntN(actors)
	}
}

// allIdle lets everybody act once more and says whether nobody did.
func (s *schedule) allIdle(t *testing.T) bool {
	t.Helper()
	for actor := range actors {
		if s.act(t, actor) {
			s.now = actor
			return false
		}
	}
	return len(s.script) == 0 && !s.collectGarbage(t)
}

func (s *schedule) act(t *testing.T, actor int) (acted bool) {
	t.Helper()
	defer s.catchUp(t)
	switch actor {
	case worldActs:
		acted = s.world.step(t) || s.random.IntN(10) == 0 && s.collectGarbage(t)
		s.tell(acted, "world")
	case scriptActs:
		// People take their time.
		if len(s.script) == 0 || s.random.IntN(12) > 0 || !s.script[0].act(s, t) {
			return false
		}
		acted = true
		s.tell(true, s.script[0].name)
		s.script = s.script[1:]
	default:
		acted = s.operate(t, actor)
	}
	return acted
}

// catchUp waits until the log has what the world and people wrote.
func (s *schedule) catchUp(t *testing.T) {
	t.Helper()
	s.log.await(t, s.world.wire.takeHeard())
}

func (s *schedule) tell(acted bool, what string) {
	if acted {
		s.told = append(s.told, what)
	}
}

// operate lets an operator go on to its next request, or lets it die there.
func (s *schedule) operate(t *testing.T, i int) bool {
	t.Helper()
	o := s.operators[i]
	if o.midway && s.random.IntN(60) == 0 {
		s.tell(true, fmt.Sprintf("operator %d dies before %s", i, o.next))
		o.die(t)
		s.operators[i] = startActor(t, s.lane, s.random.IntN(6))
		return true
	}
	what, acted := o.step()
	s.log.await(t, o.wire.takeHeard())
	s.tell(acted, fmt.Sprintf("operator %d: %s", i, what))
	return acted
}

// collectGarbage removes what belongs to a tenant that is gone, as Kubernetes does.
func (s *schedule) collectGarbage(t *testing.T) (removed bool) {
	t.Helper()
	owner := &v1alpha1.ChatTenant{}
	err := admin.Get(t.Context(), client.ObjectKey{Name: s.tenant}, owner)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	for _, o := range inventory(t, s.world, naming.Namespace(s.tenant)) {
		ref := metav1.GetControllerOf(o)
		if ref != nil && ref.Kind == "ChatTenant" && ref.UID != owner.UID {
			s.world.do(t, s.world.Delete(t.Context(), o))
			removed = true
		}
	}
	s.catchUp(t)
	return removed
}

func (s *schedule) wantSame(t *testing.T, seed uint64, clean string) {
	t.Helper()
	if diff := cmp.Diff(clean, settledState(t, s.tenant)); diff != "" {
		t.Fatalf("two operators came to something else (-one +two):\n%s\n%s", diff, s.story(seed))
	}
}

// wantRest has both operators look at everything once more, which changes nothing.
func (s *schedule) wantRest(t *testing.T, seed uint64) {
	t.Helper()
	for _, o := range s.operators {
		o.wake()
		for what, acted := o.step(); acted; what, acted = o.step() {
			if !strings.HasPrefix(what, "GET") && what != passed {
				t.Errorf("at rest an operator sent %s\n%s", what, s.story(seed))
			}
		}
	}
}

func (s *schedule) end(t *testing.T) {
	t.Helper()
	for _, o := range s.operators {
		o.die(t)
	}
}

func (s *schedule) story(seed uint64) string {
	return fmt.Sprintf("repeat with -interleave.seed=%d\n%s", seed, strings.Join(s.told, "\n"))
}
