// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// staging is where /run is put together while the host's /run and /var are still needed to find the state folder.
const staging = "/mnt"

// mount is one call of mount(2).
type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// mountAll makes the machine's file system: the host's, but with its own /proc, an empty /run and the given /var.
func mountAll(spec Spec) error {
	const hardened = unix.MS_NOSUID | unix.MS_NODEV
	cluster := filepath.Join(staging, filepath.Base(ClusterDir))
	programs := filepath.Join(staging, filepath.Base(ProgramsDir))
	steps := []mount{
		// What the host mounts later appears here, what is mounted here stays here.
		{target: "/", flags: unix.MS_REC | unix.MS_SLAVE},
		{source: "proc", target: "/proc", fstype: "proc", flags: hardened | unix.MS_NOEXEC},
		{source: "tmpfs", target: staging, fstype: "tmpfs", flags: hardened, data: "mode=755"},
	}
	if err := mountEach(steps); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(cluster, 0o755), os.Mkdir(programs, 0o755)); err != nil {
		return err
	}
	err := mountEach([]mount{
		{source: spec.State, target: cluster, flags: unix.MS_BIND},
		{source: spec.Programs, target: programs, flags: unix.MS_BIND},
		{source: filepath.Join(cluster, spec.Var), target: "/var", flags: unix.MS_BIND},
		{source: staging, target: "/run", flags: unix.MS_BIND | unix.MS_REC},
	})
	if err != nil {
		return err
	}
	if err := unix.Unmount(staging, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting %s: %w", staging, err)
	}
	// Last, or the staging folder's end would be shared too: Pods may see what is mounted later.
	if err := mountEach([]mount{{target: "/", flags: unix.MS_REC | unix.MS_SHARED}}); err != nil {
		return err
	}
	return linkRun()
}

func mountEach(steps []mount) error {
	for _, m := range steps {
		if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	return nil
}

// linkRun makes /var/run what programs expect it to be.
func linkRun() error {
	if err := os.Symlink("/run", "/var/run"); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
