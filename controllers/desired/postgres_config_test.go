// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/naming"
)

func TestTheDatabasesFilesUseTheNamesThatEveryoneAgreesOn(t *testing.T) {
	for file, line := range map[string]string{
		"pg_hba.conf":       "hostssl " + naming.DatabaseName + " " + naming.DatabaseRole + " all cert",
		"init-cluster.sql":  "CREATE DATABASE " + naming.DatabaseName + " OWNER " + naming.DatabaseRole + ";",
		"init-database.sql": "GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO " + naming.DatabaseRole + ";",
	} {
		if !hasLine(postgresFiles()[file], line) {
			t.Errorf("%s has no line %q", file, line)
		}
	}
}

// hasLine compares words, so that columns can be aligned.
func hasLine(text, want string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == want {
			return true
		}
	}
	return false
}

func TestTheServerReadsTheFilesThatAreMounted(t *testing.T) {
	pod := postgresOf(t, "full-us")
	for setting, want := range map[string]string{
		"hba_file":      "/etc/postgres/pg_hba.conf",
		"ident_file":    "/etc/postgres/pg_ident.conf",
		"ssl_cert_file": secretDir(t) + "/tls.crt",
		"ssl_key_file":  secretDir(t) + "/tls.key",
		"ssl_ca_file":   secretDir(t) + "/ca.crt",
	} {
		if !hasLine(postgresFiles()["postgresql.conf"], setting+" = '"+want+"'") {
			t.Errorf("postgresql.conf does not set %s to %s", setting, want)
		}
	}
	if got := secretAt(pod, secretDir(t)); got != "postgres-server" {
		t.Errorf("the server's certificate is of Secret %q", got)
	}
}

func secretDir(t *testing.T) string {
	t.Helper()
	for _, mount := range postgresOf(t, "full-us").Spec.Containers[0].VolumeMounts {
		if mount.Name == "tls" {
			return mount.MountPath
		}
	}
	t.Fatal("no mount named tls")
	return ""
}

// settingOf reads a number from postgresql.conf.
func settingOf(t *testing.T, name string) int {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + name + ` = (\d+)$`).FindStringSubmatch(postgresFiles()["postgresql.conf"])
	if match == nil {
		t.Fatalf("postgresql.conf does not set %s", name)
	}
	value, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}
