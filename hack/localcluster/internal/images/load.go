// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Node runs commands inside a node.
type Node interface {
	Name() string
	Command(ctx context.Context, argv ...string) (*exec.Cmd, error)
}

// Load imports an archive into a node unless all its images are there. It reports whether it did.
func Load(ctx context.Context, node Node, archive string) (bool, error) {
	list, err := Read(archive)
	if err != nil {
		return false, err
	}
	present, err := Present(ctx, node)
	if err != nil {
		return false, err
	}
	if allPresent(list, present) {
		return false, nil
	}
	if err := importArchive(ctx, node, archive); err != nil {
		return false, err
	}
	for _, image := range list {
		// The import names images by tag only; a Pod may name one by digest.
		if _, err := ctr(ctx, node, "images", "tag", "--force", image.Tag, image.Reference()); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Present returns the digests of a node's images by reference.
func Present(ctx context.Context, node Node) (map[string]string, error) {
	output, err := ctr(ctx, node, "images", "list")
	if err != nil {
		return nil, err
	}
	return parseList(output), nil
}

// parseList reads a table of which the first and third columns are the reference and the digest.
func parseList(table string) map[string]string {
	present := map[string]string{}
	for _, line := range strings.Split(table, "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[2], "sha256:") {
			present[fields[0]] = fields[2]
		}
	}
	return present
}

func allPresent(list []Image, present map[string]string) bool {
	for _, image := range list {
		if present[image.Tag] != image.Digest || present[image.Reference()] != image.Digest {
			return false
		}
	}
	return true
}

// importArchive hands the archive in by standard input: its path on the host may not exist in the node.
func importArchive(ctx context.Context, node Node, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	command, err := node.Command(ctx, "ctr", "--namespace", "k8s.io", "images", "import", "-")
	if err != nil {
		return err
	}
	command.Stdin = file
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("importing %s into %s: %w: %s", archive, node.Name(), err, output)
	}
	return nil
}

func ctr(ctx context.Context, node Node, argv ...string) (string, error) {
	command, err := node.Command(ctx, append([]string{"ctr", "--namespace", "k8s.io"}, argv...)...)
	if err != nil {
		return "", err
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s in %s: %w: %s", argv[0], node.Name(), err, output)
	}
	return string(output), nil
}
