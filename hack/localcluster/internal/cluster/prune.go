// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
)

// keep is for how long the cache keeps what the sources made before they changed: another cluster, or a test, may run it.
const keep = 24 * time.Hour

// prune removes what earlier versions of the sources left in the cache. Only a cluster that was just brought up may do
// so: before, it may still run them.
func (c *Cluster) prune(programs parts.Programs, imageDir string) error {
	current := map[string]bool{programs.Kubernetes: true, programs.Addons: true, imageDir: true}
	for _, pattern := range []string{"programs/kubernetes-*", "programs/addons-*", "cluster-images/*"} {
		found, err := filepath.Glob(filepath.Join(c.Layout.Cache, pattern))
		if err != nil {
			return err
		}
		for _, dir := range found {
			if current[dir] {
				continue
			}
			if err := c.removeOld(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) removeOld(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || c.Now().Sub(info.ModTime()) < keep {
		return err
	}
	return os.RemoveAll(dir)
}
