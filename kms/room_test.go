// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/clouddouble"
)

// room is what the operator adds to a chat server's memory limit for the program, in KiB: 32Mi in
// controllers/desired/keyservice.go.
const room = 32 << 10

// TestTheProgramStaysWithinItsRoomAndNeedsNoFiles runs it as the chat server's pod does, and with less: as that user,
// in a root file system that holds the program and the token and cannot be written. Tests that may not do so leave it
// where it is and measure only.
func TestTheProgramStaysWithinItsRoomAndNeedsNoFiles(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		root := t.TempDir()
		// Not copied by the test: a program that this process had open for writing may still be, in the child that
		// another test is about to start, and is busy then.
		buildTo(t, cloud, filepath.Join(root, "kms"))
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		token, err := os.ReadFile(in.Identity.TokenFile)
		if err != nil {
			t.Fatal(err)
		}
		within, err := os.OpenRoot(root)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(within.WriteFile("token", token, 0o444), within.Close()); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), filepath.Join(root, "kms"))
		in.Identity.TokenFile = filepath.Join(root, "token")
		if os.Geteuid() == 0 {
			command.Path, in.Identity.TokenFile = "/kms", "/token"
			command.Dir = "/"
			command.SysProcAttr = &syscall.SysProcAttr{
				Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
			}
		}
		if err := os.Chmod(root, 0o555); err != nil { //nolint:gosec // Nobody writes there.
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(root, 0o700) }) //nolint:gosec // To be removed.
		message, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		command.Stdin = bytes.NewReader(message)
		if taken := peak(t, command); taken == 0 || taken > room {
			t.Errorf("it took %d KiB, its room is %d", taken, room)
		}
	})
}

// peak runs a command and returns the most memory that was resident, in KiB. It looks while the command runs: what the
// kernel tells of one that has ended counts the parent's memory in.
func peak(t *testing.T, command *exec.Cmd) (most int64) {
	t.Helper()
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("/proc/%d/status", command.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			t.Logf("%.1f MiB", float64(most)/1024)
			return most
		default:
		}
		status, _ := os.ReadFile(filepath.Clean(file)) // It may have ended meanwhile.
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		if fields := strings.Fields(rest); len(fields) > 0 {
			now, _ := strconv.ParseInt(fields[0], 10, 64)
			most = max(most, now)
		}
	}
}
