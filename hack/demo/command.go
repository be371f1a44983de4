// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// command runs a program with its output in the log. What a user waits minutes for shows its own progress.
func (d *demo) command(ctx context.Context, program string, args ...string) error {
	_, err := d.exec(ctx, nil, io.Discard, program, args...)
	return err
}

// visible runs a program whose own progress is worth reading.
func (d *demo) visible(ctx context.Context, program string, args ...string) error {
	_, err := d.exec(ctx, nil, os.Stdout, program, args...)
	return err
}

// output answers what a program printed.
func (d *demo) output(ctx context.Context, stdin io.Reader, program string, args ...string) (string, error) {
	return d.exec(ctx, stdin, io.Discard, program, args...)
}

func (d *demo) exec(
	ctx context.Context, stdin io.Reader, also io.Writer, program string, args ...string,
) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, io.MultiWriter(&stdout, also), d.log
	if d.kubeconfig != "" {
		cmd.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig)
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// apply sends manifests to the cluster.
func (d *demo) apply(ctx context.Context, manifests string) error {
	_, err := d.output(ctx, strings.NewReader(manifests), "kubectl", "apply", "--server-side", "-f", "-")
	return err
}
