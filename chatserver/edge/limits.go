// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Rate allows Burst at once and PerSecond in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits bound what one client may do on a replica.
type Limits struct {
	// Connections bounds open connections of everyone together, Accepts how fast they are taken.
	Connections int
	Accepts     Rate
	// Requests, Handshakes, VisitorSessions and SignIns are per client address; an IPv6 client is its /64.
	Requests, Handshakes, VisitorSessions, SignIns Rate
	// Accounts bounds attempts to sign in to one account.
	Accounts Rate
	// VisitorMessages and AgentMessages are per person.
	VisitorMessages, AgentMessages Rate
	// Searches is per agent.
	Searches Rate
	// Frames bounds the frames of one socket, which is closed beyond it, and those that one person posts.
	Frames Rate
}

const (
	// connectionCost is what a connection may take before it has said who it is: TLS, buffers and the largest hello.
	connectionCost  = 128 << 10
	mostConnections = 16_384
	// acceptsPerCore is how many clients a core can let in per second with a good half of its time: a handshake, a
	// hello and what that reads take about a millisecond.
	acceptsPerCore = 200
	acceptsAtOnce  = 2
)

// connectionsWithin is how many connections fit half of a memory limit in bytes; the other half is for work.
func connectionsWithin(memory int64) int {
	return int(min(memory/2/connectionCost, mostConnections))
}

func acceptsWith(cores int) Rate {
	return Rate{PerSecond: float64(acceptsPerCore * cores), Burst: acceptsAtOnce * cores}
}

// DefaultLimits suit people, also many behind one address, on a server with so many bytes of memory.
func DefaultLimits(memory int64) Limits {
	return Limits{
		Connections:     connectionsWithin(memory),
		Accepts:         acceptsWith(runtime.GOMAXPROCS(0)),
		Requests:        Rate{PerSecond: 50, Burst: 300},
		Handshakes:      Rate{PerSecond: 10, Burst: 100},
		VisitorSessions: Rate{PerSecond: 2, Burst: 60},
		SignIns:         Rate{PerSecond: 0.5, Burst: 20},
		Accounts:        Rate{PerSecond: 0.1, Burst: 10},
		VisitorMessages: Rate{PerSecond: 5, Burst: 20},
		AgentMessages:   Rate{PerSecond: 20, Burst: 60},
		Searches:        Rate{PerSecond: 2, Burst: 20},
		Frames:          Rate{PerSecond: 50, Burst: 200},
	}
}

// remembered bounds the clients a limiter remembers; the least recently seen are forgotten.
const remembered = 4096

// limiter holds one rate for many keys.
type limiter struct {
	name    string
	rate    Rate
	clock   clock.PassiveClock
	metrics *Metrics
	byKey   *lru.Cache
}

// take uses one of key's allowance or answers when the next comes.
func (l *limiter) take(key any) error { return l.takeAll(key, 1) }

// takeAll uses n of key's allowance, or none of it.
func (l *limiter) takeAll(key any, n int) error {
	if wait := l.wait(key, n); wait > 0 {
		l.metrics.limited.WithLabelValues(l.name).Inc()
		return &apiError{code: protocol.RateLimited, message: "too many at once, try again a little later", retryAfter: wait}
	}
	return nil
}

func (l *limiter) wait(key any, n int) time.Duration {
	now := l.clock.Now()
	bucket := l.bucket(key)
	if bucket.AllowN(now, n) {
		return 0
	}
	reservation := bucket.ReserveN(now, n)
	defer reservation.CancelAt(now)
	return max(reservation.DelayFrom(now), time.Millisecond)
}

func (l *limiter) bucket(key any) *rate.Limiter {
	known, _ := l.byKey.Get(key)
	if bucket, ok := known.(*rate.Limiter); ok {
		return bucket
	}
	// Two at once may make two: the loser's allowance is lost, which harms nobody.
	bucket := l.rate.limiter()
	l.byKey.Add(key, bucket)
	return bucket
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst) }

// limiters has a limiter for each thing that is limited.
type limiters struct {
	requests, handshakes, visitorSessions, signIns, accounts *limiter
	visitorMessages, agentMessages, searches, posted         *limiter
	frames                                                   Rate
}

func newLimiters(l Limits, clock clock.PassiveClock, metrics *Metrics) *limiters {
	limiter := func(name string, r Rate) *limiter {
		return &limiter{name: name, rate: r, clock: clock, metrics: metrics, byKey: lru.New(remembered)}
	}
	return &limiters{
		requests:        limiter("requests", l.Requests),
		handshakes:      limiter("handshakes", l.Handshakes),
		visitorSessions: limiter("visitor_sessions", l.VisitorSessions),
		signIns:         limiter("sign_ins", l.SignIns),
		accounts:        limiter("accounts", l.Accounts),
		visitorMessages: limiter("visitor_messages", l.VisitorMessages),
		agentMessages:   limiter("agent_messages", l.AgentMessages),
		searches:        limiter("searches", l.Searches),
		posted:          limiter("frames", l.Frames),
		frames:          l.Frames,
	}
}

func (l *limiters) messages(p identity.Principal) *limiter {
	if p.Kind == protocol.Agent {
		return l.agentMessages
	}
	return l.visitorMessages
}

func (s *Server) limitRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.limits.requests.take(addressKey(r)); err != nil {
			writeError(w, s.answerTo(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

const ipv6Site = 64

// addressKey is the client's address, of which IPv6 clients have a whole /64.
func addressKey(r *http.Request) netip.Prefix {
	addrPort, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr := addrPort.Addr().Unmap()
	if addr.Is4() {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	return netip.PrefixFrom(addr.WithZone(""), ipv6Site).Masked()
}

// accountKey stands for an address without keeping it in memory.
func accountKey(email redacted.String) [sha256.Size]byte {
	return sha256.Sum256([]byte(identity.NormaliseEmail(email).Reveal()))
}
