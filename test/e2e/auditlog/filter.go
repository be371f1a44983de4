// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"fmt"
	"slices"
	"strings"
)

var readVerbs = []string{"get", "list", "watch"}

// By matches what a user asked for with its own credentials. What an administrator asked for in that user's name is
// the administrator's.
func By(username string) Filter {
	return func(e *Event) bool {
		return e.User.Username == username && e.ImpersonatedUser == nil
	}
}

// And matches what every filter matches.
func And(filters ...Filter) Filter {
	return func(e *Event) bool {
		return !slices.ContainsFunc(filters, func(f Filter) bool { return !f(e) })
	}
}

// Writes matches requests that could have changed an object. Leases and events are left out: the one is renewed by
// whoever leads, the other tells people what happened. Reviews are questions that are asked with a create.
func Writes(e *Event) bool {
	if slices.Contains(readVerbs, e.Verb) || e.ObjectRef == nil {
		return false
	}
	switch e.ObjectRef.Resource {
	case "leases", "events":
		return false
	default:
		return !strings.HasSuffix(e.ObjectRef.Resource, "reviews")
	}
}

// OnSecrets matches requests for Secrets, whatever became of them.
func OnSecrets(e *Event) bool { return e.ObjectRef != nil && e.ObjectRef.Resource == "secrets" }

// SecretsRead matches requests that answer with the content of Secrets, whatever became of them. An update or a patch
// answers with the content too.
func SecretsRead(e *Event) bool {
	return OnSecrets(e) && slices.Contains(append([]string{"update", "patch"}, readVerbs...), e.Verb)
}

// About matches requests about a ChatTenant or anything in its namespace.
func About(tenant, namespace string) Filter {
	return func(e *Event) bool {
		ref := e.ObjectRef
		return ref != nil && (ref.Namespace == namespace ||
			ref.Resource == "chattenants" && ref.Name == tenant || ref.Resource == "namespaces" && ref.Name == namespace)
	}
}

// Describe sums events up for people: how often which request was made, the most frequent first.
func Describe(events []Event) string {
	counts := map[string]int{}
	for i := range events {
		counts[request(&events[i])]++
	}
	lines := make([]string, 0, len(counts))
	for line, count := range counts {
		lines = append(lines, fmt.Sprintf("%6d  %s", count, line))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b, a) })
	return strings.Join(lines, "\n")
}

func request(e *Event) string {
	ref := e.ObjectRef
	if ref == nil {
		return e.Verb + " " + e.RequestURI
	}
	path := []string{ref.Resource}
	for _, part := range []string{ref.Namespace, ref.Name, ref.Subresource} {
		if part != "" {
			path = append(path, part)
		}
	}
	return e.Verb + " " + strings.Join(path, "/")
}
