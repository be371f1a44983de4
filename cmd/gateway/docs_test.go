// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/egress"
)

// described collects what a set of metrics says of itself.
type described struct{ text strings.Builder }

func (d *described) Register(c prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 100)
	c.Describe(descriptions)
	close(descriptions)
	for description := range descriptions {
		d.text.WriteString(description.String())
	}
	return nil
}

func (d *described) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c)
	}
}

func (*described) Unregister(prometheus.Collector) bool { return false }

// TestThePageOfTheGatewaysNamesWhatUsersMeet looks for every flag, reason, alert, metric and special range.
func TestThePageOfTheGatewaysNamesWhatUsersMeet(t *testing.T) {
	content, err := os.ReadFile("../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	var want []string
	for _, command := range newCommand().Commands() {
		command.Flags().VisitAll(func(flag *pflag.Flag) { want = append(want, "| `--"+flag.Name+"` |") })
	}
	for _, reason := range egressconfig.Reasons() {
		want = append(want, "`"+string(reason)+"`")
	}
	for _, row := range egressconfig.SpecialRanges() {
		want = append(want, "`"+row.Prefix.String()+"`")
	}
	var metrics described
	egress.NewMetrics(&metrics)
	for _, match := range regexp.MustCompile(`fqName: "([a-z_]+)"`).FindAllStringSubmatch(metrics.text.String(), -1) {
		want = append(want, "| `"+match[1]+"` |")
	}
	if len(want) < 60 {
		t.Fatalf("only %d things to look for", len(want))
	}
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("docs/gateway.md lacks %s", text)
		}
	}
}
