// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package images loads archives of container images into the nodes.
package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// nameAnnotation is where an archive says what an image is called.
const nameAnnotation = "io.containerd.image.name"

// maxIndex bounds an index, which lists a handful of images.
const maxIndex = 1 << 20

// Image is an image in an archive.
type Image struct {
	// Tag is its reference by name, such as "chattenant.local/operator:local".
	Tag string
	// Digest identifies its manifest.
	Digest string
}

// Reference is the image's reference by digest, which no later build can move.
func (i Image) Reference() string {
	return i.Tag[:strings.LastIndexByte(i.Tag, ':')] + "@" + i.Digest
}

// Read lists the images of an archive in the OCI layout.
func Read(archive string) ([]Image, error) {
	file, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	files := tar.NewReader(file)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s holds no index.json: it is no archive of OCI images", archive)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", archive, err)
		}
		if path.Clean(header.Name) == "index.json" {
			return parseIndex(archive, io.LimitReader(files, maxIndex))
		}
	}
}

func parseIndex(archive string, content io.Reader) ([]Image, error) {
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.NewDecoder(content).Decode(&index); err != nil {
		return nil, fmt.Errorf("reading the index of %s: %w", archive, err)
	}
	var list []Image
	for _, manifest := range index.Manifests {
		tag := manifest.Annotations[nameAnnotation]
		if strings.LastIndexByte(tag, ':') <= strings.LastIndexByte(tag, '/') {
			return nil, fmt.Errorf("an image of %s has no name and tag in its annotation %s", archive, nameAnnotation)
		}
		list = append(list, Image{Tag: tag, Digest: manifest.Digest})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no image", archive)
	}
	return list, nil
}
