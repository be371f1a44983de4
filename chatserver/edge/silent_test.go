// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// TestASilentSocketKeepsOneGoroutineThatWaitsAboveTLS reads the stacks: they are most of what a silent socket takes.
func TestASilentSocketKeepsOneGoroutineThatWaitsAboveTLS(t *testing.T) {
	timing := servertest.Patient()
	timing.Heartbeat = 200 * time.Millisecond
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	w := connect(t, r)
	greet(w, newVisitor(t, r))
	// It has also answered pings, which is where it would stay inside of the library otherwise.
	for range 3 {
		nextOf[*protocol.Heartbeat](w)
	}
	var stacks []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stacks = socketStacks()
		if len(stacks) == 1 && strings.Contains(stacks[0], "edge.(*shallow).wait") {
			break
		}
	}
	all := strings.Join(stacks, "\n\n")
	if len(stacks) != 1 || !strings.Contains(all, "edge.(*shallow).wait") || strings.Contains(all, "crypto/tls") {
		t.Errorf("%d goroutines:\n%s", len(stacks), all)
	}
}

// socketStacks are those of the goroutines that serve sockets.
func socketStacks() []string {
	all := make([]byte, 1<<20)
	var found []string
	for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(stack, "edge.(*socket)") {
			found = append(found, stack)
		}
	}
	return found
}
