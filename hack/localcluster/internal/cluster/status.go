// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"text/tabwriter"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cgroup"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Status prints which machines run. It fails if one does not.
func (c *Cluster) Status() error {
	machines, err := c.machines()
	if err != nil {
		return err
	}
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "MACHINE\tPID\tPROCESSES\tLOGS")
	stopped := 0
	for _, name := range topology.Machines() {
		pid, err := machines[name].PID()
		if err != nil {
			return err
		}
		processes, err := tree.Processes(c.Layout.Cgroup() + "/" + name)
		if err != nil {
			return err
		}
		if pid == 0 {
			stopped++
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", name, pid, len(processes), c.Layout.Log(name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if stopped > 0 {
		return fmt.Errorf("%d of %d machines do not run", stopped, len(machines))
	}
	return nil
}
