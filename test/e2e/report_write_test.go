// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// reportPath is where the isolation report goes, as text, and beside it as JSON. Naming it asks for the whole proof:
// more tenants than the usual run has, and a report that lacks nothing.
var reportPath = flag.String("isolation.report", "", "prove isolation in full and write the report to this file")

// fullProof says that the whole proof is wanted, not the slice of it that the usual run has.
func fullProof() bool { return *reportPath != "" }

// writeReport prints the report and writes it where it was asked for. The error names what is not as it must be.
func writeReport(to io.Writer) error {
	isolationReport.Lock()
	rows := slices.Clone(isolationReport.rows)
	isolationReport.Unlock()
	order := sections()
	slices.SortStableFunc(rows, func(a, b *row) int {
		return cmp.Compare(slices.Index(order, a.Section), slices.Index(order, b.Section))
	})
	text := reportText(rows)
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	path := *reportPath
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	for name, content := range map[string][]byte{
		path: []byte(text), strings.TrimSuffix(path, filepath.Ext(path)) + ".json": append(data, '\n'),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("make a place for the report: %w", err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if _, err := io.WriteString(to, text); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return complete(rows)
}

// complete says which rows are not as they must be, and which sections have none.
func complete(rows []*row) error {
	var wrong []string
	for _, s := range sections() {
		if !slices.ContainsFunc(rows, func(r *row) bool { return r.Section == s }) {
			wrong = append(wrong, "nothing was tried of: "+string(s))
		}
	}
	for _, r := range rows {
		if !r.OK {
			wrong = append(wrong, string(r.Section)+": "+r.Name)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("not as it must be:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}

func reportText(rows []*row) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	sum, in := row{Name: "all of it", OK: true}, section("")
	for _, r := range rows {
		if r.Section != in {
			in = r.Section
			fmt.Fprintf(w, "\n%s\tTRIED\tREFUSED\tOPEN\tOTHERWISE\t\n", strings.ToUpper(string(in)))
		}
		printRow(w, r)
		sum.Tried += r.Tried
		sum.Refused += r.Refused
		sum.Open += r.Open
		sum.Otherwise += r.Otherwise
		sum.OK = sum.OK && r.OK
	}
	fmt.Fprintln(w)
	printRow(w, &sum)
	// A strings.Builder does not fail.
	_ = w.Flush()
	return text.String()
}

func printRow(w io.Writer, r *row) {
	verdict := "ok"
	if !r.OK {
		verdict = "WRONG"
	}
	line := fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%s  %s", r.Name, r.Tried, r.Refused, r.Open, r.Otherwise, verdict, r.Result)
	fmt.Fprintln(w, strings.TrimSpace(line))
}
