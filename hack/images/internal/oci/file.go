// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package oci writes container images as archives in the OCI layout, the same bytes for the same content.
package oci

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
)

// Entry is a file, folder or link of a layer.
type Entry struct {
	// Path is where it is, without a leading slash.
	Path string
	// Mode holds its permissions and its type.
	Mode fs.FileMode
	// UID and GID own it.
	UID, GID int
	// Link is the target of a symbolic link.
	Link string
	// HardLink is the path of the entry that it is another name of.
	HardLink string
	// Source is the file on the host with its content; empty if Content holds it.
	Source string
	// Content is its content.
	Content []byte
}

// Layer writes entries as an uncompressed layer without times. Their order is kept.
func Layer(entries []Entry) ([]byte, error) {
	var buffer bytes.Buffer
	out := tar.NewWriter(&buffer)
	for _, entry := range entries {
		if err := entry.write(out); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

func (e Entry) write(out *tar.Writer) error {
	content := e.Content
	if e.Source != "" {
		var err error
		if content, err = os.ReadFile(e.Source); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(e.header(int64(len(content)))); err != nil {
		return err
	}
	_, err := io.Copy(out, bytes.NewReader(content))
	return err
}

// header describes the entry as tar does, which has its own bits for the special permissions.
func (e Entry) header(size int64) *tar.Header {
	header := &tar.Header{Name: e.Path, Uid: e.UID, Gid: e.GID, Mode: int64(e.Mode.Perm()), Format: tar.FormatPAX}
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.Mode&bit != 0 {
			header.Mode |= value
		}
	}
	switch {
	case e.HardLink != "":
		header.Typeflag, header.Linkname = tar.TypeLink, e.HardLink
	case e.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, e.Path+"/"
	case e.Mode&fs.ModeSymlink != 0:
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.Link
	default:
		header.Typeflag, header.Size = tar.TypeReg, size
	}
	return header
}
