// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package rootfs reads a folder that holds the root file system of an image.
package rootfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/chattenant/chattenant/hack/images/internal/oci"
)

// Read lists what a folder holds, in the order of the paths, with owners, links and permissions. Devices and sockets
// are left out: a container gets its own.
func Read(root string) ([]oci.Entry, error) {
	var entries []oci.Entry
	// linked maps the inode of a file with several names to the first of them.
	linked := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, item fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		entry, wanted, err := read(path, relative, item, linked)
		if wanted {
			entries = append(entries, entry)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the root file system: %w", err)
	}
	return entries, nil
}

func read(path, relative string, item fs.DirEntry, linked map[uint64]string) (oci.Entry, bool, error) {
	info, err := item.Info()
	if err != nil {
		return oci.Entry{}, false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return oci.Entry{}, false, fmt.Errorf("%s has no owner", relative)
	}
	entry := oci.Entry{Path: relative, Mode: info.Mode(), UID: int(stat.Uid), GID: int(stat.Gid)}
	switch {
	case info.Mode().IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		entry.Link, err = os.Readlink(path)
	case info.Mode().IsRegular():
		entry.Source = path
		if stat.Nlink > 1 {
			entry = hardLink(entry, stat.Ino, linked)
		}
	default:
		return oci.Entry{}, false, nil
	}
	return entry, true, err
}

// hardLink makes an entry another name of the first one with the same inode.
func hardLink(entry oci.Entry, inode uint64, linked map[uint64]string) oci.Entry {
	if first, seen := linked[inode]; seen {
		entry.HardLink, entry.Source = first, ""
		return entry
	}
	linked[inode] = entry.Path
	return entry
}
