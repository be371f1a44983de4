// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/kubeapi"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	collection = "/api/v1/persistentvolumes"
	// settle gathers the events of one change, such as a namespace that goes with ten claims.
	settle = 200 * time.Millisecond
	// retry is the pause after a failure; a watch that the server ended is renewed as quietly.
	retry = 2 * time.Second
	// folderMode leaves the rest to fsGroup, as a disk's fresh file system does.
	folderMode = 0o750
)

// Keeper keeps the pools of all nodes.
type Keeper struct {
	client *kubeapi.Client
	// folders returns where this process sees the folders of a node's volumes.
	folders func(node string) string
}

// New returns a keeper.
func New(client *kubeapi.Client, folders func(node string) string) *Keeper {
	return &Keeper{client: client, folders: folders}
}

// Run keeps the pools until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	changes := make(chan struct{}, 1)
	changes <- struct{}{}
	go k.watch(ctx, changes)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		}
		time.Sleep(settle)
		if err := k.reconcile(ctx); err != nil {
			slog.Error("keeping the pools", "error", err)
			time.AfterFunc(retry, func() { notify(changes) })
		}
	}
}

func notify(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}

// watch reports that something changed. Every watch begins with the present state, so nothing is missed in between.
func (k *Keeper) watch(ctx context.Context, changes chan<- struct{}) {
	query := url.Values{"watch": {"1"}, "labelSelector": {poolLabel}}
	for ctx.Err() == nil {
		err := k.client.Watch(ctx, collection+"?"+query.Encode(), func() { notify(changes) })
		slog.Debug("the watch ended", "error", err)
		time.Sleep(retry)
	}
}

func (k *Keeper) reconcile(ctx context.Context) error {
	pools, err := k.list(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, node := range topology.Nodes() {
		folders, err := folderNames(k.folders(node.Name))
		if err != nil {
			failures = append(failures, err)
			continue
		}
		failures = append(failures, k.apply(ctx, node, Decide(pools[node.Name], folders)))
	}
	return errors.Join(failures...)
}

// apply carries a plan out. Data goes before the object: what is interrupted in between is begun again.
func (k *Keeper) apply(ctx context.Context, node topology.Node, plan Plan) error {
	var failures []error
	for _, name := range plan.Wipe {
		err := os.RemoveAll(filepath.Join(k.folders(node.Name), name))
		if err == nil {
			err = k.client.Delete(ctx, collection+"/"+name)
		}
		slog.Info("wiped", "volume", name, "error", err)
		failures = append(failures, err)
	}
	for _, name := range plan.Remove {
		failures = append(failures, os.RemoveAll(filepath.Join(k.folders(node.Name), name)))
	}
	for range plan.Create {
		if err := k.create(ctx, node); err != nil {
			// What failed once would fail for every other one.
			failures = append(failures, err)
			break
		}
	}
	return errors.Join(failures...)
}

// create offers a fresh volume under a name that no volume had before.
func (k *Keeper) create(ctx context.Context, node topology.Node) error {
	id := make([]byte, 5)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	name := node.Name + "-" + hex.EncodeToString(id)
	if err := os.MkdirAll(filepath.Join(k.folders(node.Name), name), folderMode); err != nil {
		return err
	}
	if err := k.client.Create(ctx, collection, manifest(node, name)); err != nil {
		return fmt.Errorf("offering %s: %w", name, err)
	}
	return nil
}

func folderNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}
