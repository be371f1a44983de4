// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// layoutVersion changes when the same inputs are to make another image than before.
const layoutVersion = "1"

// registry is the name under which no registry will ever be asked.
const registry = "chattenant.local"

// builder builds images from recipes and keeps them in a cache.
type builder struct {
	out, cache, scratch, programs string
	now                           func() time.Time
}

func newBuilder(out, programs string) (*builder, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	b := &builder{
		out: out, programs: programs, cache: filepath.Join(cache, "chattenant", "images"), now: clock.RealClock{}.Now,
	}
	for _, dir := range []string{b.out, b.cache} {
		//nolint:gosec // the user says, by a flag and the environment, where files go
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	b.scratch, err = os.MkdirTemp("", "images-")
	return b, err
}

// program is the path of a program that the local cluster built.
func (b *builder) program(ctx context.Context, name string) (string, error) {
	if b.programs == "" {
		command := exec.CommandContext(ctx, "go", "-C", "../localcluster", "run", ".", "addons")
		command.Stderr = os.Stderr
		output, err := command.Output()
		if err != nil {
			return "", fmt.Errorf("asking the local cluster for its add-ons: %w", err)
		}
		b.programs = strings.TrimSpace(string(output))
	}
	return filepath.Join(b.programs, name), nil
}

// make provides one image: from the cache, or by building it.
func (b *builder) make(ctx context.Context, name string) error {
	begin := b.now()
	recipe := recipes()[name]
	key, err := recipe.key(ctx, b)
	if err != nil {
		return err
	}
	cached := filepath.Join(b.cache, name+"-"+layoutVersion+"-"+key)
	how := "cached"
	if _, err := os.Stat(cached + ".ref"); err != nil {
		how = "built"
		if err := b.build(ctx, name, recipe, cached); err != nil {
			return err
		}
	}
	for _, extension := range []string{".tar", ".ref"} {
		if err := place(cached+extension, filepath.Join(b.out, name+extension)); err != nil {
			return err
		}
	}
	fmt.Printf("  %-22s %6.1f s  %s\n", name, b.now().Sub(begin).Seconds(), how)
	return nil
}

// build makes the archive first and the reference last, whose presence says that both are complete.
func (b *builder) build(ctx context.Context, name string, recipe recipe, cached string) error {
	if err := b.prune(name); err != nil {
		return err
	}
	image, err := recipe.build(ctx, b)
	if err != nil {
		return err
	}
	image.Tag = registry + "/" + name + ":local"
	digest, err := image.Write(cached + ".tar")
	if err != nil {
		return err
	}
	return os.WriteFile(cached+".ref", fmt.Appendf(nil, "%s/%s@%s\n", registry, name, digest), 0o644)
}

// prune removes earlier builds of an image: a developer makes many a day.
func (b *builder) prune(name string) error {
	earlier, err := filepath.Glob(filepath.Join(b.cache, name+"-"+layoutVersion+"-*"))
	if err != nil {
		return err
	}
	for _, path := range earlier {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// place puts a cached file where it is wanted: as a second name if that is possible, as a copy if not.
func place(cached, wanted string) error {
	if err := os.Remove(wanted); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(cached, wanted) == nil {
		return nil
	}
	content, err := os.ReadFile(cached)
	if err != nil {
		return err
	}
	//nolint:gosec // the user says, by a flag, where files go
	return os.WriteFile(wanted, content, 0o644)
}
