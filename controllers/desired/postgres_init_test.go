// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build postgres

package desired

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInitMakesADatabaseThatTheChatServerOwns(t *testing.T) {
	s := withCertificates(t, initialised(t)).serve(t)
	for query, want := range map[string]string{
		`SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
			FROM pg_roles WHERE rolname = 'chatserver'`: "t|f|f|f|f|f",
		`SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype
			FROM pg_database WHERE datname = 'chat'`: "chatserver|UTF8|C|C.UTF-8",
		`SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL`:                 "0",
		`SELECT has_database_privilege('chatserver', 'chat', 'CONNECT')`:               "t",
		`SELECT has_database_privilege('chatserver', 'postgres', 'CONNECT')`:           "f",
		`SELECT has_schema_privilege('chatserver', 'public', 'CREATE')`:                "t",
		`SELECT has_function_privilege('chatserver', 'pg_reload_conf()', 'EXECUTE')`:   "t",
		`SELECT has_function_privilege('chatserver', 'pg_read_file(text)', 'EXECUTE')`: "f",
		`SHOW data_checksums`: "on",
	} {
		if got := s.ask(t, query); got != want {
			t.Errorf("%s\n got %s, want %s", query, got, want)
		}
	}
}

func TestInitLeavesAnExistingDatabaseAlone(t *testing.T) {
	m := withCertificates(t, initialised(t))
	s := m.serve(t)
	s.ask(t, "CREATE TABLE kept AS SELECT 'as it was' AS text")
	s.stop(t, syscall.SIGINT)
	before := digests(t, m.data())
	if output, err := m.runInit(t); err != nil || output != "" {
		t.Fatalf("init: %v\n%s", err, output)
	}
	if diff := cmp.Diff(before, digests(t, m.data())); diff != "" {
		t.Errorf("files changed (-before +after):\n%s", diff)
	}
	if got := m.serve(t).ask(t, "SELECT text FROM kept"); got != "as it was" {
		t.Errorf("the table holds %q", got)
	}
}

// TestInitClosesADataDirectoryThatItsGroupCouldWrite undoes what a kubelet does that applies the group to every file.
func TestInitClosesADataDirectoryThatItsGroupCouldWrite(t *testing.T) {
	m := withCertificates(t, initialised(t))
	if err := os.Chmod(m.data(), 0o770|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if output, err := m.runInit(t); err != nil {
		t.Fatalf("init: %v\n%s", err, output)
	}
	m.serve(t)
}

func TestInitRefusesWhatItDidNotMake(t *testing.T) {
	for name, test := range map[string]struct {
		version, want string
	}{
		"another major version": {"9", "made by PostgreSQL 9"},
		"no database at all":    {"", "is no database"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.mkdir(t, "volume/pgdata")
			m.write(t, "volume/pgdata/PG_VERSION", test.version, 0o600)
			m.write(t, "volume/pgdata/precious", "data", 0o600)
			before := digests(t, m.path("volume"))
			output, err := m.runInit(t)
			if err == nil || !strings.Contains(output, test.want) {
				t.Errorf("init: %v, want a refusal with %q, got:\n%s", err, test.want, output)
			}
			if diff := cmp.Diff(before, digests(t, m.path("volume"))); diff != "" {
				t.Errorf("files changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestInitStopsAtTheFirstStatementThatFails(t *testing.T) {
	m := newMachine(t)
	m.write(t, "etc/init-cluster.sql", "SELECT 1/0;\n\n"+initClusterSQL, 0o440)
	if output, err := m.runInit(t); err == nil {
		t.Errorf("init succeeds in spite of an error:\n%s", output)
	}
	if _, err := os.Stat(m.data()); !os.IsNotExist(err) {
		t.Errorf("an unfinished database is in place: %v", err)
	}
}

// TestInitConvergesAfterBeingKilledAtAnyStep kills the whole container after each program that the script runs.
func TestInitConvergesAfterBeingKilledAtAnyStep(t *testing.T) {
	for step, program := range []string{"initdb", "postgres", "postgres", "initdb", "mv", "sync"} {
		t.Run(fmt.Sprintf("after step %d, %s", step+1, program), func(t *testing.T) {
			m := newMachine(t)
			m.killAfter(t, step+1)
			requireConvergence(t, m)
		})
	}
}

// TestInitConvergesAfterBeingKilledInsideInitdb kills the whole container when a file of the new database appears.
func TestInitConvergesAfterBeingKilledInsideInitdb(t *testing.T) {
	for _, file := range []string{"PG_VERSION", "global/pg_control", "base/5/PG_VERSION"} {
		t.Run(file, func(t *testing.T) {
			m := newMachine(t)
			m.killWhenExists(t, m.data()+".new/"+file)
			requireConvergence(t, m)
		})
	}
}

// requireConvergence checks that what the killed run left is nothing or everything, and that another run ends in a
// whole database with no remains beside it.
func requireConvergence(t *testing.T, m machine) {
	t.Helper()
	if output, err := m.runInit(t); err != nil {
		t.Fatalf("init after a kill: %v\n%s", err, output)
	}
	entries, err := os.ReadDir(m.path("volume"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != "pgdata" {
		t.Errorf("the volume holds %v", entries)
	}
	s := withCertificates(t, m).serve(t)
	if got := s.ask(t, "SELECT has_function_privilege('chatserver', 'pg_reload_conf()', 'EXECUTE')"); got != "t" {
		t.Error("the last statement of the script had no effect")
	}
}

// killAfter runs the script with programs that count themselves and kill their process group after the given one.
func (m machine) killAfter(t *testing.T, step int) {
	t.Helper()
	m.mkdir(t, "counting")
	for _, program := range []string{"initdb", "postgres", "mv", "sync"} {
		m.write(t, "counting/"+program, m.countingProgram(program, step), 0o500)
	}
	cmd := m.command(t.Context(), "/bin/sh", m.path("etc/"+postgresInitScript))
	cmd.Env[0] = "PATH=" + m.path("counting") + ":" + m.binaries + ":/usr/bin:/bin"
	output, err := cmd.CombinedOutput()
	requireKilled(t, cmd.ProcessState, output, err)
}

func (m machine) countingProgram(program string, step int) string {
	original := filepath.Join(m.binaries, program)
	if _, err := os.Stat(original); err != nil {
		original = "/bin/" + program
	}
	return strings.NewReplacer("STEP", strconv.Itoa(step), "REAL", original, "COUNT", m.path("counting/count")).Replace(
		`#!/bin/sh
[ "$1" = --version ] && exec REAL "$@"
echo >>COUNT
REAL "$@"
status=$?
[ "$(wc -l <COUNT)" -lt STEP ] || kill -9 0
exit $status
`)
}

func (m machine) killWhenExists(t *testing.T, path string) {
	t.Helper()
	cmd := m.command(t.Context(), "/bin/sh", m.path("etc/"+postgresInitScript))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	appeared := false
	for range 60_000 {
		if _, err := os.Stat(path); err == nil {
			appeared = true
			break
		}
		time.Sleep(time.Millisecond)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	err := cmd.Wait()
	if !appeared {
		t.Fatalf("%s never appeared", path)
	}
	requireKilled(t, cmd.ProcessState, nil, err)
}

func requireKilled(t *testing.T, state *os.ProcessState, output []byte, err error) {
	t.Helper()
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the script was not killed: %v\n%s", err, output)
	}
}

// digests maps each path below directory to its mode, time and content.
func digests(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	tree := os.DirFS(directory)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		if info.Mode().IsRegular() {
			if content, err = fs.ReadFile(tree, path); err != nil {
				return err
			}
		}
		found[path] = fmt.Sprintf("%s %s %x", info.Mode(), info.ModTime(), sha256.Sum256(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
