// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command chart writes the templates of charts/chattenant that are the manifests of config/ with a namespace to fill
// in: custom resource definitions, roles, admission policies and flow control. They are written once, in config/, and
// both ways to install get the same.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "directory that holds config/ and charts/")
	flag.Parse()
	if err := write(*root, filepath.Join(*root, "charts/chattenant/templates/generated")); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// write makes dir hold exactly the generated templates.
func write(root, dir string) error {
	templates, err := generate(os.DirFS(root))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear generated templates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory of generated templates: %w", err)
	}
	for name, content := range templates {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write template: %w", err)
		}
	}
	return nil
}
