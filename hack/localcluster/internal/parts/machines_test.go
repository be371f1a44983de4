// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

var layout = state.Layout{Root: "/state"}

func specs(t *testing.T) map[string]machine.Spec {
	t.Helper()
	byName := map[string]machine.Spec{}
	programs := Programs{Kubernetes: "/cache/kubernetes", Addons: "/cache/addons"}
	for _, spec := range Specs(layout, programs, Ports{API: 6443, Ingress: 8443}) {
		byName[spec.Name] = spec
	}
	return byName
}

func TestThereIsASpecForEveryMachine(t *testing.T) {
	all := specs(t)
	for _, name := range topology.Machines() {
		spec, found := all[name]
		if !found || len(spec.Processes) == 0 {
			t.Errorf("%s runs nothing", name)
		}
		if !strings.HasPrefix(spec.Cgroup, layout.Cgroup()+"/"+name+"/") {
			t.Errorf("%s is in control group %s", name, spec.Cgroup)
		}
	}
	if len(all) != len(topology.Machines()) {
		t.Errorf("%d specs for %d machines", len(all), len(topology.Machines()))
	}
}

func TestEveryConfigurationFileThatAProcessNamesExists(t *testing.T) {
	for name, spec := range specs(t) {
		written := map[string]bool{}
		for file := range spec.Files {
			for path := filepath.Join(machine.ConfigDir, file); path != machine.ConfigDir; path = filepath.Dir(path) {
				written[path] = true
			}
		}
		for _, path := range configPaths(t, spec) {
			if !written[path] {
				t.Errorf("%s has no %s", name, path)
			}
		}
	}
}

// configPaths finds paths of configuration files in everything that a spec says.
func configPaths(t *testing.T, spec machine.Spec) []string {
	t.Helper()
	content, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, after := range strings.Split(string(content), machine.ConfigDir)[1:] {
		path, _, _ := strings.Cut(after, "\"")
		paths = append(paths, filepath.Join(machine.ConfigDir, strings.TrimSuffix(path, "\\")))
	}
	return paths
}

func TestOnlyTheControlPlaneListensOnTheHostAndOnlyOnLoopback(t *testing.T) {
	for name, spec := range specs(t) {
		if len(spec.Listen) > 0 && name != topology.ControlPlane {
			t.Errorf("%s listens on %v", name, spec.Listen)
		}
		for _, address := range spec.Listen {
			if host, _, err := net.SplitHostPort(address); err != nil || !net.ParseIP(host).IsLoopback() {
				t.Errorf("%s listens on %s", name, address)
			}
		}
	}
}

func TestNodesShareNoControlGroup(t *testing.T) {
	seen := map[any]string{}
	for _, node := range topology.Nodes() {
		group := kubeletConfig(node, machineCgroup(layout, node.Name))["cgroupRoot"]
		if other, taken := seen[group]; taken {
			t.Errorf("%s and %s share %v: they would end each other's Pods", node.Name, other, group)
		}
		seen[group] = node.Name
	}
}

func TestEveryKubeconfigThatAProcessNamesIsWritten(t *testing.T) {
	layout := state.Layout{Root: t.TempDir(), Cache: t.TempDir()}
	if err := layout.Create(); err != nil {
		t.Fatal(err)
	}
	if err := WriteIdentities(layout, 6443, time.Now); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(layout.PKI(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for name, spec := range specs(t) {
		content, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range strings.Split(string(content), machine.ClusterDir+"/pki/")[1:] {
			file, _, _ := strings.Cut(after, "\"")
			if !slices.Contains(files, filepath.Join(layout.PKI(), file)) {
				t.Errorf("%s needs %s, which nobody makes", name, file)
			}
		}
	}
}
