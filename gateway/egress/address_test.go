// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/egress"
)

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	g := startGateway(t, nil)
	for name, addrs := range map[string][]string{
		"loopback":                 {"127.0.0.1"},
		"loopback elsewhere":       {"127.8.8.8"},
		"loopback in IPv6":         {"::1"},
		"unspecified":              {"0.0.0.0"},
		"unspecified in IPv6":      {"::"},
		"a pod":                    {"10.244.1.7"},
		"a Service":                {"10.96.0.1"},
		"private":                  {"172.31.255.255"},
		"private at home":          {"192.168.1.1"},
		"unique local":             {"fd12:3456::1"},
		"carrier":                  {"100.64.0.1"},
		"metadata":                 {"169.254.169.254"},
		"metadata in IPv6":         {"fd00:ec2::254"},
		"Alibaba's metadata":       {"100.100.100.200"},
		"Azure's wire server":      {"168.63.129.16"},
		"link-local in IPv6":       {"fe80::1"},
		"documentation":            {"192.0.2.10"},
		"documentation in IPv6":    {"2001:db8::1"},
		"benchmarking":             {"198.18.0.1"},
		"multicast":                {"224.0.0.1"},
		"multicast in IPv6":        {"ff02::1"},
		"broadcast":                {"255.255.255.255"},
		"IPv4-mapped private":      {"::ffff:10.0.0.1"},
		"IPv4-compatible private":  {"::10.0.0.1"},
		"NAT64 of a private":       {"64:ff9b::a00:1"},
		"local NAT64 of a private": {"64:ff9b:1::a00:1"},
		"6to4 of a private":        {"2002:a00:1::1"},
		"Teredo":                   {"2001:0:a00:1::1"},
		"good and bad":             {mailAddr, "10.0.0.1"},
		"bad and good":             {"10.0.0.1", mailAddr},
		"good IPv4, bad IPv6":      {mailAddr, "fd00::1"},
		"good IPv6, bad IPv4":      {"2a00::1", "127.0.0.1"},
		"bad among many": {
			"50.0.0.1", "50.0.0.2", "50.0.0.3", "50.0.0.4", "50.0.0.5", "50.0.0.6", "50.0.0.7", "50.0.0.8", "10.0.0.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g.dns.set(mailHost, addresses(addrs...))
			c, response := g.ask(t, connectTo(mail))
			assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonAddressRefused)
		})
	}
	g.assertNotDialled(t)
}

func TestANameThatLeadsToAPrivateOneIsRefused(t *testing.T) {
	g := startGateway(t, nil)
	g.dns.set(mailHost, func(dnsmessage.Type, int) answer {
		return answer{alias: "postgres.chat-other.svc.cluster.local", addrs: []string{"10.96.7.7"}}
	})
	c, response := g.ask(t, connectTo(mail))
	assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonAddressRefused)
	g.assertNotDialled(t)
}

// TestWhatWasCheckedIsWhatIsDialled lets a name change its mind after the first look.
func TestWhatWasCheckedIsWhatIsDialled(t *testing.T) {
	g := startGateway(t, nil)
	g.dns.set(mailHost, func(_ dnsmessage.Type, nth int) answer {
		if nth == 1 {
			return answer{addrs: []string{mailAddr}}
		}
		return answer{addrs: []string{"169.254.169.254"}}
	})
	assertEcho(t, g.reach(t, mailHost, mail), "hello")
	if n := g.dns.times(mailHost); n != 1 {
		t.Errorf("DNS was asked %d times for one connection", n)
	}
	c, response := g.ask(t, connectTo(mail))
	assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonAddressRefused)
	if dialled := g.outside.dials(); !slices.Equal(dialled, []string{mailAddr + ":443"}) {
		t.Errorf("dialled %s", dialled)
	}
}

func TestANameWithoutAnAddressIsSaidSo(t *testing.T) {
	for name, z := range map[string]zone{
		"unknown":    func(dnsmessage.Type, int) answer { return answer{code: dnsmessage.RCodeNameError} },
		"empty":      func(dnsmessage.Type, int) answer { return answer{} },
		"broken":     func(dnsmessage.Type, int) answer { return answer{code: dnsmessage.RCodeServerFailure} },
		"no answer":  func(dnsmessage.Type, int) answer { return answer{silent: true} },
		"alias only": func(dnsmessage.Type, int) answer { return answer{alias: "nowhere.example"} },
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, func(l *egressconfig.Limits) { l.ResolveSeconds = 1 })
			g.dns.set(mailHost, z)
			c, response := g.ask(t, connectTo(mail))
			assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonNotResolved)
			g.assertNotDialled(t)
		})
	}
}

// inOrder are the addresses of every host, in an order that is not sorted by what the machine can reach.
type inOrder []netip.Addr

func (a inOrder) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return a, nil }

func TestTheNextAddressIsTriedWhenOneFailsOrIsSilent(t *testing.T) {
	for name, prepare := range map[string]func(*gateway){
		"fails":  func(*gateway) {},
		"silent": func(g *gateway) { g.outside.neverAnswer("[2a00::1]:443") },
	} {
		t.Run(name, func(t *testing.T) {
			g := startGatewayWith(t, nil, func(o *egress.Options) {
				o.Resolver = inOrder{netip.MustParseAddr("2a00::1"), netip.MustParseAddr(mailAddr)}
			})
			prepare(g)
			assertEcho(t, g.reach(t, mailHost, mail), "hello")
			dialled := g.outside.dials()
			want := []string{"[2a00::1]:443", mailAddr + ":443"}
			if name == "silent" { // The second does not wait for the first: where that stalls it is the first.
				slices.Sort(dialled)
				slices.Sort(want)
			}
			if !slices.Equal(dialled, want) {
				t.Errorf("dialled %s", dialled)
			}
		})
	}
}

func TestARecipientThatCannotBeReachedIsSaidSo(t *testing.T) {
	for name, prepare := range map[string]func(*gateway){
		"refused": func(g *gateway) { g.dns.set(mailHost, addresses("50.0.0.9")) },
		"silent":  func(g *gateway) { g.outside.neverAnswer(mailAddr + ":443") },
		"many": func(g *gateway) {
			var all []string
			for i := range 60 {
				all = append(all, netip.AddrFrom4([4]byte{50, 1, 0, byte(i)}).String())
			}
			g.dns.set(mailHost, addresses(all...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, func(l *egressconfig.Limits) { l.DialSeconds = 1 })
			prepare(g)
			c := g.establish(t, mail)
			c.send(string(helloFor(t, mailHost)))
			assertAlert(t, c, egressconfig.ReasonUnreachable)
			g.assertDecided(t, egressconfig.ReasonUnreachable)
			if n := len(g.outside.dials()); n > 8 {
				t.Errorf("one connection set off %d attempts", n)
			}
		})
	}
}

func TestTheRealDiallerResolvesNothing(t *testing.T) {
	server := netip.MustParseAddrPort(startServer(t, nobody))
	conn, err := egress.Direct()(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := conn.RemoteAddr().String(); got != server.String() {
		t.Errorf("connected to %s, want %s", got, server)
	}
}

// namedResolver keeps the names that it is asked for.
type namedResolver struct{ names chan string }

func (r namedResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.names <- host
	return nil, nil
}

// TestANameIsLookedUpAsItIs: without the dot Go would try the pod's search path, so the names of the cluster, first.
func TestANameIsLookedUpAsItIs(t *testing.T) {
	resolver := namedResolver{make(chan string, 1)}
	g := startGatewayWith(t, nil, func(o *egress.Options) { o.Resolver = resolver })
	c, response := g.ask(t, connectTo(mail))
	assertDenied(t, c, response, http.StatusForbidden, egressconfig.ReasonNotResolved)
	if got := <-resolver.names; got != mailHost+"." {
		t.Errorf("asked for %q", got)
	}
}
