// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd looks for an image's name.
const nameAnnotation = "io.containerd.image.name"

// Image is a container image of one layer.
type Image struct {
	// Tag is its name, such as "chattenant.local/operator:local".
	Tag string
	// Config says how it runs.
	Config v1.Config
	// Layer is its content.
	Layer []byte
}

// Write writes the image to an archive, and returns the digest of its manifest.
func (i Image) Write(path string) (v1.Hash, error) {
	image, err := i.build()
	if err != nil {
		return v1.Hash{}, err
	}
	descriptor, err := partial.Descriptor(image)
	if err != nil {
		return v1.Hash{}, err
	}
	descriptor.Annotations = map[string]string{nameAnnotation: i.Tag}
	file, err := os.CreateTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := writeLayout(file, image, *descriptor); err != nil {
		return v1.Hash{}, fmt.Errorf("writing %s: %w", i.Tag, err)
	}
	if err := file.Close(); err != nil {
		return v1.Hash{}, err
	}
	return descriptor.Digest, os.Rename(file.Name(), path)
}

func (i Image) build() (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	configured, err := mutate.ConfigFile(base, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Config: i.Config, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(configured, static.NewLayer(i.Layer, types.OCIUncompressedLayer))
}

// writeLayout writes the files of an OCI layout, the index first: who looks for the image's name need not read on.
func writeLayout(file io.Writer, image v1.Image, descriptor v1.Descriptor) error {
	index, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{descriptor},
	})
	if err != nil {
		return err
	}
	out := tar.NewWriter(file)
	if err := writeFile(out, "index.json", index); err != nil {
		return err
	}
	if err := writeFile(out, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := writeBlobs(out, image, descriptor.Digest); err != nil {
		return err
	}
	return out.Close()
}

func writeBlobs(out *tar.Writer, image v1.Image, digest v1.Hash) error {
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	configDigest, err := image.ConfigName()
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	if err := writeBlob(out, digest, manifest); err != nil {
		return err
	}
	if err := writeBlob(out, configDigest, config); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := writeLayer(out, layer); err != nil {
			return err
		}
	}
	return nil
}

func writeLayer(out *tar.Writer, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	raw, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return writeBlob(out, digest, raw)
}

func writeBlob(out *tar.Writer, digest v1.Hash, content []byte) error {
	return writeFile(out, "blobs/"+digest.Algorithm+"/"+digest.Hex, content)
}

func writeFile(out *tar.Writer, name string, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(out, bytes.NewReader(content))
	return err
}
