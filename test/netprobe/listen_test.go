// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/isolation/prober"
)

// TestWhatListensIsReachable runs listen as a pod would, probes it, and stops it.
func TestWhatListensIsReachable(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		defer func() { _ = writer.Close() }()
		ended <- run(ctx, []string{"listen", "--tcp", "0", "--udp", "0"}, streams{out: writer, err: writer})
	}()
	lines := bufio.NewScanner(reader)
	for range 2 {
		if !lines.Scan() {
			t.Fatalf("listen said too little: %v", lines.Err())
		}
		network, address, _ := strings.Cut(lines.Text(), " ")
		port := address[strings.LastIndex(address, ":"):]
		want := map[string]prober.Outcome{"tcp": prober.OutcomeOpen, "udp": prober.OutcomeAnswered}[network]
		if got := tryOne(t, prober.Target{Network: network, Address: "127.0.0.1" + port}); got.Outcome != want {
			t.Errorf("%s: %s (%s), want %s", network, got.Outcome, got.Detail, want)
		}
	}
	stop()
	if status := <-ended; status != exitAsExpected {
		t.Errorf("exit status %d, want %d", status, exitAsExpected)
	}
}

func TestSleepEndsWithItsSignal(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if status := run(ctx, []string{"sleep"}, streams{}); status != exitAsExpected {
		t.Errorf("exit status %d, want %d", status, exitAsExpected)
	}
}
