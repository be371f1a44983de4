// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package web serves the built pages: the loader, the visitor's panel and the agents' console. They are embedded, and
// compressed when they were built, not when they are asked for.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// Site is a set of files ready to be served.
type Site struct {
	// files are keyed by URL path.
	files map[string]*file
}

// file is one resource in the encodings it was built in.
type file struct {
	name      string
	variants  []variant
	immutable bool
}

// variant is a file's content in one encoding; "" is the content itself.
type variant struct {
	encoding string
	etag     string
	content  []byte
}

// encodings by preference, with the suffix of the file that holds them.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}, {"", ""}}

// Built returns the site embedded in this binary. It is empty if the web assets were not built.
func Built() (*Site, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("open web assets: %w", err)
	}
	return NewSite(files)
}

// NewSite reads a built site: name.br and name.gz beside a file are its compressed forms.
func NewSite(files fs.FS) (*Site, error) {
	site := &Site{files: map[string]*file{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !servable(name) {
			return err
		}
		f, err := readFile(files, name)
		if err != nil {
			return err
		}
		site.files[urlPath(name)] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read web assets: %w", err)
	}
	return site, nil
}

// servable leaves out compressed forms, which are served under the name of their file, and hidden files.
func servable(name string) bool {
	_, known := contentTypes[path.Ext(name)]
	return known && !strings.HasPrefix(path.Base(name), ".")
}

// urlPath maps a directory's index to the directory.
func urlPath(name string) string { return "/" + strings.TrimSuffix(name, "index.html") }

func readFile(files fs.FS, name string) (*file, error) {
	f := &file{name: path.Base(name), immutable: strings.HasPrefix(name, "assets/")}
	for _, encoding := range encodings {
		content, err := fs.ReadFile(files, name+encoding.suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		sum := sha256.Sum256(content)
		f.variants = append(f.variants, variant{
			encoding: encoding.name, content: content,
			etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		})
	}
	return f, nil
}
