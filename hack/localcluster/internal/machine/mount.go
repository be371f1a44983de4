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

// mount is one call of mount(2).
type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// mountAll makes the machine's file system: the host's, but with its own /proc, an empty /run and a /var of its own. The
// host's /var goes last, the state folder may lie in it.
func mountAll(spec Spec) error {
	const hardened = unix.MS_NOSUID | unix.MS_NODEV
	steps := []mount{
		// What the host mounts later appears here, what is mounted here stays here.
		{target: "/", flags: unix.MS_REC | unix.MS_SLAVE},
		{source: "proc", target: "/proc", fstype: "proc", flags: hardened | unix.MS_NOEXEC},
		{source: "tmpfs", target: "/run", fstype: "tmpfs", flags: hardened, data: "mode=755"},
		{source: spec.State, target: ClusterDir, flags: unix.MS_BIND},
		{source: spec.Programs, target: ProgramsDir, flags: unix.MS_BIND},
		{source: filepath.Join(ClusterDir, spec.Var), target: "/var", flags: unix.MS_BIND},
		// Pods may see in each other's mounts what their specs ask for.
		{target: "/", flags: unix.MS_REC | unix.MS_SHARED},
	}
	for _, m := range steps {
		if err := m.make(); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", "/var/run"); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (m mount) make() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
		return fmt.Errorf("mounting %s: %w", m.target, err)
	}
	return nil
}
