// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"

	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
)

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
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}
