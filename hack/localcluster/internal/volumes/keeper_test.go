// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/kubeapi"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// fakeAPI holds PersistentVolumes as the API server does, as far as the keeper asks.
type fakeAPI struct {
	mu      sync.Mutex
	volumes map[string]map[string]any
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		var volume map[string]any
		if err := json.NewDecoder(r.Body).Decode(&volume); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		volume["status"] = map[string]any{"phase": "Available"}
		metadata, _ := volume["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		f.volumes[name] = volume
	case http.MethodDelete:
		name := filepath.Base(r.URL.Path)
		if f.volumes[name] == nil {
			http.NotFound(w, r)
			return
		}
		delete(f.volumes, name)
	default:
		var items []any
		for _, volume := range f.volumes {
			items = append(items, volume)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
	}
}

// first returns a volume of a node.
func (f *fakeAPI) first(node string) (name string, volume map[string]any) {
	for name, volume := range f.volumes {
		if strings.HasPrefix(name, node) {
			return name, volume
		}
	}
	return "", nil
}

func newKeeper(t *testing.T) (*Keeper, *fakeAPI) {
	t.Helper()
	api := &fakeAPI{volumes: map[string]map[string]any{}}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	root := t.TempDir()
	client := kubeapi.NewPlain(server.URL, server.Client())
	return New(client, func(node string) string { return filepath.Join(root, node) }), api
}

func reconcile(t *testing.T, keeper *Keeper) {
	t.Helper()
	if err := keeper.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAPoolIsMadeOnEveryNodeWithAFolderPerVolume(t *testing.T) {
	keeper, api := newKeeper(t)
	reconcile(t, keeper)
	for _, node := range topology.Nodes() {
		folders, err := folderNames(keeper.folders(node.Name))
		if err != nil || len(folders) != PoolSize {
			t.Fatalf("%s has %d folders, %v", node.Name, len(folders), err)
		}
		for _, folder := range folders {
			if api.volumes[folder] == nil {
				t.Errorf("folder %s is of no volume", folder)
			}
		}
	}
	reconcile(t, keeper)
	if len(api.volumes) != PoolSize*len(topology.Nodes()) {
		t.Errorf("a second look made it %d volumes", len(api.volumes))
	}
}

func TestAReleasedVolumeAndItsDataGoAndAnotherComes(t *testing.T) {
	keeper, api := newKeeper(t)
	reconcile(t, keeper)
	node := topology.Nodes()[0].Name
	name, volume := api.first(node)
	volume["status"] = map[string]any{"phase": "Released"}
	secret := filepath.Join(keeper.folders(node), name, "secret")
	if err := os.WriteFile(secret, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	reconcile(t, keeper)
	if _, err := os.Stat(filepath.Dir(secret)); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	if api.volumes[name] != nil || len(api.volumes) != PoolSize*len(topology.Nodes()) {
		t.Errorf("%d volumes, the old one: %v", len(api.volumes), api.volumes[name])
	}
}

func TestTheKeeperActsOnEventsAndEnds(t *testing.T) {
	keeper, api := newKeeper(t)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- keeper.Run(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		api.mu.Lock()
		count := len(api.volumes)
		api.mu.Unlock()
		if count == PoolSize*len(topology.Nodes()) {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	if len(api.volumes) != PoolSize*len(topology.Nodes()) {
		t.Errorf("made %d volumes", len(api.volumes))
	}
}
