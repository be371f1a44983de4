// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/chattenant/chattenant/hack/localcluster/internal/build"
	"github.com/chattenant/chattenant/hack/localcluster/internal/host"
	"github.com/chattenant/chattenant/hack/localcluster/internal/images"
	"github.com/chattenant/chattenant/hack/localcluster/internal/manifests"
	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
)

// sysctlFile keeps the host's settings until the cluster is taken down.
func (c *Cluster) sysctlFile() string { return filepath.Join(c.Layout.Root, "host-settings.json") }

// prepareHost makes folders, identities and settings.
func (c *Cluster) prepareHost(ctx context.Context) (string, error) {
	if err := c.Layout.Create(); err != nil {
		return "", err
	}
	if err := parts.WriteIdentities(c.Layout, c.Ports.API, c.Now); err != nil {
		return "", fmt.Errorf("making identities: %w", err)
	}
	return c.Layout.Root, host.Prepare(ctx, c.sysctlFile())
}

// applyManifests applies them unless the same ones were applied before.
func (c *Cluster) applyManifests(
	ctx context.Context, programs parts.Programs, imageDir string,
) (string, error) {
	stream, err := renderManifests(programs, imageDir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(stream))
	digest := hex.EncodeToString(sum[:])
	marker := filepath.Join(c.Layout.Root, "manifests.digest")
	if applied, err := os.ReadFile(marker); err == nil && string(applied) == digest {
		return "unchanged", nil
	}
	command := exec.CommandContext(ctx, filepath.Join(programs.Kubernetes, "kubectl"),
		"--kubeconfig", c.Layout.AdminKubeconfig(), "apply", "--server-side", "--force-conflicts", "--filename", "-")
	command.Stdin = strings.NewReader(stream)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("kubectl apply: %w: %s", err, output)
	}
	return "applied", os.WriteFile(marker, []byte(digest), 0o600)
}

// renderManifests names the add-ons' images by digest, so that another build of one is another manifest.
func renderManifests(programs parts.Programs, imageDir string) (string, error) {
	crds, err := os.ReadFile(filepath.Join(programs.Addons, build.CRDFile))
	if err != nil {
		return "", err
	}
	references := map[string]string{}
	for _, name := range ownImages {
		list, err := images.Read(filepath.Join(imageDir, name+".tar"))
		if err != nil {
			return "", err
		}
		references[name] = list[0].Reference()
	}
	return manifests.Render(manifests.Images{
		CoreDNS: references["coredns"], CertManager: references["cert-manager"],
	}, string(crds))
}
