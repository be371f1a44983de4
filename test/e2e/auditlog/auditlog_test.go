// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

const operator = "system:serviceaccount:chattenant-system:chattenant-operator"

func TestAMarkSeesWhatCameAfterItAlsoAcrossARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write(t, path, line(operator, "patch", "services"))
	mark := markOf(t, path)
	write(t, path, line(operator, "patch", "deployments"), line("someone", "delete", "deployments"))
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), "audit-2026-11-21T00-00-00.000.log")); err != nil {
		t.Fatal(err)
	}
	write(t, path, line(operator, "delete", "configmaps"), `{"half a li`)
	found, err := mark.Events(operator, And(By(operator), Writes))
	if err != nil {
		t.Fatal(err)
	}
	if got := Describe(found); len(found) != 2 {
		t.Errorf("want the operator's two writes behind the mark, got %d:\n%s", len(found), got)
	}
}

func TestTheWholeLogIncludesRotatedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write(t, filepath.Join(filepath.Dir(path), "audit-2026-11-21T00-00-00.000.log"), line(operator, "get", "secrets"))
	write(t, path, line(operator, "list", "secrets"), line(operator, "create", "secrets"))
	log, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	found, err := log.All("secrets", And(By(operator), SecretsRead))
	if err != nil || len(found) != 2 {
		t.Errorf("want get and list, got %d: %v\n%s", len(found), err, Describe(found))
	}
}

func TestQuestionsLeasesAndEventsAreNoWrites(t *testing.T) {
	for resource, want := range map[string]bool{
		"deployments": true, "secrets": true, "leases": false, "events": false, "tokenreviews": false,
		"subjectaccessreviews": false,
	} {
		e := Event{Verb: "create", ObjectRef: &auditv1.ObjectReference{Resource: resource}}
		if got := Writes(&e); got != want {
			t.Errorf("create %s: want %v, got %v", resource, want, got)
		}
	}
}

func TestWhatAnAdministratorDoesInTheOperatorsNameIsNotTheOperators(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write(t, path, `{"verb":"get","user":{"username":"admin"},"impersonatedUser":{"username":"`+operator+
		`"},"objectRef":{"resource":"secrets"}}`)
	log, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := log.All("secrets", By(operator)); err != nil || len(found) != 0 {
		t.Errorf("want none, got %d, %v", len(found), err)
	}
}

func markOf(t *testing.T, path string) *Mark {
	t.Helper()
	log, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := log.Mark()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mark.Close() })
	return mark
}

func line(user, verb, resource string) string {
	return fmt.Sprintf(`{"verb":%q,"user":{"username":%q},"objectRef":{"resource":%q}}`+"\n", verb, user, resource)
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if _, err := file.WriteString(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
