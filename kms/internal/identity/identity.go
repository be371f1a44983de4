// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package identity reads the token by which a cloud knows the tenant.
package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// largestToken is more than a projected token takes, in bytes.
const largestToken = 32 << 10

// Token reads a projected token. Its errors quote the file's name only.
func Token(file string) (string, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return "", fmt.Errorf("read the token of the pod: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(f, largestToken+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("read the token of the pod: %w", err)
	}
	if content = bytes.TrimSpace(content); len(content) == 0 || len(content) > largestToken {
		return "", fmt.Errorf("read the token of the pod: %s holds %d bytes", file, len(content))
	}
	return string(content), nil
}
