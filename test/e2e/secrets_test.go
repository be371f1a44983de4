// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/test/e2e/auditlog"
)

// TestTheOperatorHasNeverReadASecret asks the API server's audit log who asked for Secrets, since the cluster was made.
// Of the product's own programs only the operator does, and it only makes and deletes them.
func TestTheOperatorHasNeverReadASecret(t *testing.T) {
	events, err := live.audit.All(`"resource":"secrets"`, auditlog.OnSecrets)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string][]auditlog.Event{}
	for _, e := range events {
		user := e.User.Username
		if e.ImpersonatedUser != nil {
			user += " as another"
		}
		users[user] = append(users[user], e)
	}
	if !slices.ContainsFunc(users[operatorUser], func(e auditlog.Event) bool { return e.Verb == "create" }) {
		t.Fatal("the log does not show how the operator created the tenants' keys: it proves nothing")
	}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		secretsRow(t, user, users[user])
	}
}

// secretsRow makes a row of what a user asked for. The product's programs must not have been answered with a Secret.
func secretsRow(t *testing.T, user string, events []auditlog.Event) {
	t.Helper()
	r := record(t, sectionSecrets, user)
	r.counts = true
	verbs := map[string]int{}
	for _, e := range events {
		verbs[e.Verb]++
		switch ofTheProduct := strings.HasPrefix(user, "system:serviceaccount:"+systemNamespace+":"); {
		case ofTheProduct && auditlog.SecretsRead(&e):
			r.otherwise("")
			t.Errorf("%s asked for Secrets: %s", user, auditlog.Describe([]auditlog.Event{e}))
		case e.ResponseStatus != nil && e.ResponseStatus.Code == http.StatusForbidden:
			r.refused("")
		default:
			r.opened("")
		}
	}
	var words []string
	for _, verb := range []string{"create", "delete", "deletecollection", "get", "list", "watch", "update", "patch"} {
		words = append(words, fmt.Sprintf("%s %d", verb, verbs[verb]))
	}
	r.says("%s", strings.Join(words, ", "))
	t.Logf("%s: %s", user, strings.Join(words, ", "))
}
