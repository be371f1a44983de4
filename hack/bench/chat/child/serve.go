// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Serve is the child's side: it runs the server for the site that stands on in, answers questions from there on out,
// and stops when in ends.
func Serve(ctx context.Context, server target.Server, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	var site target.Site
	if err := questions.Decode(&site); err != nil {
		return fmt.Errorf("read site: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, site, listener) }()
	if err := answers.Encode(greeting{Address: listener.Addr().String()}); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	asked := make(chan error, 1)
	go func() { asked <- answer(questions, answers) }()
	select {
	case err := <-ended:
		return errors.Join(errors.New("the server ended by itself"), err)
	case err := <-asked:
		cancel()
		return errors.Join(err, <-ended)
	}
}

// answer answers until there are no more questions.
func answer(questions *json.Decoder, answers *json.Encoder) error {
	for {
		var c command
		if err := questions.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read question: %w", err)
		}
		u, err := c.do()
		if err != nil {
			return err
		}
		if err := answers.Encode(u); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

func (c *command) do() (Usage, error) {
	switch {
	case c.Profile != "":
		file, err := os.Create(filepath.Clean(c.Profile))
		if err != nil {
			return Usage{}, fmt.Errorf("make profile: %w", err)
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return Usage{}, fmt.Errorf("start profile: %w", err)
		}
	case c.StopProfile:
		pprof.StopCPUProfile()
	}
	u := Usage{CPU: processorTime()}
	if c.Memory {
		u.measureMemory()
	}
	if c.HeapProfile != "" {
		return u, writeHeap(c.HeapProfile)
	}
	return u, nil
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // Linux always answers for oneself.
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// collections are how many it takes until what a handshake needed is gone: what has a finaliser goes the second time
// only, and a stack that has grown shrinks by half each time.
const collections = 5

func (u *Usage) measureMemory() {
	for range collections {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Stacks, u.Resident = int64(m.StackInuse), residentBytes() //nolint:gosec // Fits.
	u.Live = int64(m.HeapAlloc) + u.Stacks                      //nolint:gosec // Fits.
}

func writeHeap(name string) error {
	file, err := os.Create(filepath.Clean(name))
	if err != nil {
		return fmt.Errorf("make heap profile: %w", err)
	}
	if err := errors.Join(pprof.WriteHeapProfile(file), file.Close()); err != nil {
		return fmt.Errorf("write heap profile: %w", err)
	}
	return nil
}

// residentBytes reads the second field of statm, in pages.
func residentBytes() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
