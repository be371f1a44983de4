// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// crmAddress is where the outside's usedHost is: on the public internet, as the local cluster plays it.
const crmAddress = "11.22.33.11"

// rebinds are names that lead to crmAddress and, when they are asked for again, to these addresses.
func rebinds() []string { return []string{"10.96.0.1", "169.254.169.254", "127.0.0.1"} }

// inwards are addresses that are not on the public internet, of every kind.
func inwards() []string {
	return []string{
		"10.96.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "127.0.0.1", "0.0.0.0", "192.0.2.10",
		"198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fd00:ec2::254", "fe80::1", "ff02::1",
		"::ffff:10.96.0.1", "64:ff9b::a60:1", "2002:a60:1::1", "2001:db8::1",
	}
}

// answering is a name of the outside's whose answers are these, one after the other, or all at once.
func answering(separator string, addresses ...string) string {
	var turns []string
	for _, text := range addresses {
		turns = append(turns, hex.EncodeToString(netip.MustParseAddr(text).AsSlice()))
	}
	return strings.Join(turns, separator) + "." + rebindingHost
}

// rebindingNames are all that the recipient declares that the tests play an attacker with.
func rebindingNames() []string {
	names := []string{answering("x", crmAddress, "10.96.0.1"), answering("x", crmAddress, "fd00:ec2::254")}
	for _, inner := range rebinds() {
		names = append(names, answering("-", crmAddress, inner))
	}
	for _, inner := range inwards() {
		names = append(names, answering("", inner))
	}
	return names
}

// namesLeadOutwards declares names whose owner has them lead inwards.
func namesLeadOutwards(t *testing.T, way *exit) {
	ask := func(name string) string { return way.asked(t, net.JoinHostPort(name, "443")) }
	var names []string
	for _, inner := range inwards() {
		names = append(names, answering("", inner))
	}
	refusedFor(t, "a declared name that leads to private, link-local, metadata or special addresses",
		append(names, specialHost), ask, egressconfig.ReasonAddressRefused)
	refusedFor(t, "a declared name that leads outwards and inwards at once", rebindingNames()[:2], ask,
		egressconfig.ReasonAddressRefused)
	for _, inner := range rebinds() {
		t.Run("rebinding to "+inner, func(t *testing.T) { rebinding(t, way, inner) })
	}
	askedForNothing(t, way)
}

// askedAgain is when the cluster's name server gives an answer up and asks the outside once more.
const askedAgain = 2 * time.Second

// rebinding connects to a name whose answer changes with every question: what was checked is what is dialled only if
// there is one question for each connection.
func rebinding(t *testing.T, way *exit, inner string) {
	name := answering("-", crmAddress, inner)
	r := record(t, sectionEgress, "DNS rebinding, from a public address to "+inner)
	const tries = 8
	before, late := questions(t, way, name), 0
	for range tries {
		start := time.Now()
		told, err := way.reach(t, connectTo(net.JoinHostPort(name, "443")), name, name)
		var denied *deniedError
		switch {
		case err == nil && strings.HasPrefix(told.Local, crmAddress+":"):
			r.opened("")
		case errors.As(err, &denied) && denied.reason == string(egressconfig.ReasonAddressRefused):
			r.refused("")
		default:
			r.otherwise("%+v %v", told, err)
			t.Errorf("asked for %s: %+v, %v", name, told, err)
		}
		if time.Since(start) >= askedAgain {
			late++
		}
	}
	asked := 0
	eventually(t, patience, "every question is noted", func(context.Context) error {
		if asked = questions(t, way, name) - before; asked < tries {
			return fmt.Errorf("%d questions for %d connections", asked, tries)
		}
		return nil
	})
	if asked > tries+late || r.Refused == 0 || r.Open == 0 {
		t.Errorf("%d questions for %d connections, %d of them late, %d refused, %d open",
			asked, tries, late, r.Refused, r.Open)
	}
	r.says("%s, or the public address was dialled: %d questions for %d connections",
		egressconfig.ReasonAddressRefused, asked, tries)
}

// askedForNothing tries to tell an outside name server something in a question.
func askedForNothing(t *testing.T, way *exit) {
	t.Helper()
	name := "what-the-visitor-said." + answering("", crmAddress)
	refusedFor(t, "data in the name of an undeclared host (DNS exfiltration through the gateway)", []string{name},
		func(name string) string { return way.asked(t, net.JoinHostPort(name, "443")) }, egressconfig.ReasonNotDeclared)
	if n := questions(t, way, name); n > 0 {
		t.Errorf("the outside was asked %d times for %s", n, name)
	}
}

// questions counts how often the outside's name server was asked for an IPv4 address of a name. It notes a question
// once that is answered, and the client may be quicker: so another one comes last, and is waited for.
func questions(t *testing.T, way *exit, name string) int {
	t.Helper()
	last := rebindingNames()[0]
	before := noted(t, last)
	_ = way.asked(t, net.JoinHostPort(last, "443"))
	eventually(t, patience, "the last question is noted", func(context.Context) error {
		if noted(t, last) == before {
			return errors.New("it is not")
		}
		return nil
	})
	return noted(t, name)
}

func noted(t *testing.T, name string) int {
	t.Helper()
	log, err := os.ReadFile(outsideFacts(t).DNS.LogFile)
	if err != nil {
		t.Fatalf("read the log of the outside's name server: %v", err)
	}
	return strings.Count(string(log), fmt.Sprintf(`"A IN %s. `, name))
}

// addressOf is where a server of the outside is.
func addressOf(t *testing.T, name string) string {
	t.Helper()
	for _, server := range outsideFacts(t).Servers {
		if server.Name == name {
			return server.Address
		}
	}
	t.Fatalf("there is no %s outside", name)
	return ""
}
