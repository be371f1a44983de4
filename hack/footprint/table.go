// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// use is memory in bytes.
type use struct {
	workingSet, rss int64
}

func (u use) plus(o use) use { return use{u.workingSet + o.workingSet, u.rss + o.rss} }

var errNothing = errors.New("no kubelet knows a pod of the product: is it installed, and a minute old?")

// writeTable writes a line per pod, and a sum per owner.
func writeTable(w io.Writer, pods []pod, owners map[string]string) error {
	pods = slices.DeleteFunc(pods, func(p pod) bool { return owners[p.Ref.Namespace] == "" })
	if len(pods) == 0 {
		return errNothing
	}
	slices.SortFunc(pods, func(a, b pod) int {
		return cmp.Or(cmp.Compare(a.Ref.Namespace, b.Ref.Namespace), cmp.Compare(a.Ref.Name, b.Ref.Name))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "TENANT\tPOD\tWORKING SET MiB\tRSS MiB\t")
	sums := map[string]use{}
	for _, p := range pods {
		owner, used := owners[p.Ref.Namespace], memory(p)
		sums[owner] = sums[owner].plus(used)
		line(table, owner, p.Ref.Name, used)
	}
	for _, owner := range slices.Sorted(maps.Keys(sums)) {
		line(table, owner, "all pods", sums[owner])
	}
	return table.Flush()
}

// line writes one; the table keeps an error until it is flushed.
func line(w io.Writer, owner, name string, u use) {
	const mebi = 1 << 20
	fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t\n", owner, name, float64(u.workingSet)/mebi, float64(u.rss)/mebi)
}

func memory(p pod) use {
	var total use
	for _, c := range p.Containers {
		total = total.plus(use{c.Memory.WorkingSetBytes, c.Memory.RSSBytes})
	}
	return total
}
