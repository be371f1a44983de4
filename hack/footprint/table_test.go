// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summary is how a kubelet answers, shortened.
const summary = `[
  {"podRef": {"name": "coredns-1", "namespace": "kube-system"},
   "containers": [{"name": "coredns", "memory": {"workingSetBytes": 99999999, "rssBytes": 9}}]},
  {"podRef": {"name": "postgres-0", "namespace": "chat-acme"},
   "containers": [{"name": "postgres", "memory": {"workingSetBytes": 31457280, "rssBytes": 10485760}}]},
  {"podRef": {"name": "chatserver-1", "namespace": "chat-acme"},
   "containers": [{"name": "chatserver", "memory": {"workingSetBytes": 15728640, "rssBytes": 14680064}},
                  {"name": "other", "memory": {"workingSetBytes": 1048576, "rssBytes": 1048576}}]}
]`

func TestPodsOfTheProductAreListedAndSummedByTenant(t *testing.T) {
	var pods []pod
	if err := json.Unmarshal([]byte(summary), &pods); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := writeTable(&out, pods, map[string]string{"chat-acme": "acme", systemNamespace: "(shared)"}); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for l := range strings.Lines(out.String()) {
		got = append(got, strings.Fields(l))
	}
	want := [][]string{
		{"TENANT", "POD", "WORKING", "SET", "MiB", "RSS", "MiB"},
		{"acme", "chatserver-1", "16.0", "15.0"},
		{"acme", "postgres-0", "30.0", "10.0"},
		{"acme", "all", "pods", "46.0", "25.0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAClusterWithoutTheProductIsAnError(t *testing.T) {
	if err := writeTable(&strings.Builder{}, nil, nil); !errors.Is(err, errNothing) {
		t.Errorf("want %v, got %v", errNothing, err)
	}
}
