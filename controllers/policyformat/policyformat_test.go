// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policyformat

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

var update = flag.Bool("update", false, "rewrite testdata from what is rendered now; review the difference")

func input(ports ...int32) desired.Input {
	in := desired.Input{
		Tenant: &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "1"}},
		Class:  &v1alpha1.ChatTenantClass{}, Region: &v1alpha1.DataRegion{},
		System: desired.System{Namespace: "chattenant-system", GatewayName: "chattenant-gateway"},
	}
	if len(ports) > 0 {
		in.Egress = desired.EgressTo(ports...)
	}
	return in
}

func TestEachFormatRendersItsGoldenFiles(t *testing.T) {
	for name, in := range map[string]desired.Input{"closed": input(), "egress": input(443, 465)} {
		for _, format := range Formats {
			got, err := Render(in, format)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+"-"+string(format)+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-golden +rendered):\n%s", file, diff)
			}
		}
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if _, err := Render(input(), "calico"); err == nil || !strings.Contains(err.Error(), "cilium") {
		t.Errorf("error = %v, want one that names the formats", err)
	}
}

// TestWhatIsDecidedForGoodEndsWithADenial reads the rules of ClusterNetworkPolicies in their order.
func TestWhatIsDecidedForGoodEndsWithADenial(t *testing.T) {
	for _, in := range []desired.Input{input(), input(443)} {
		for _, o := range clusterNetworkPolicies(in) {
			spec := o.(object)["spec"].(object) //nolint:errcheck // another type is a failure of the test
			for _, direction := range []string{"ingress", "egress"} {
				rules := spec[direction].([]any) //nolint:errcheck // another type is a failure of the test
				for i, r := range rules {
					action := r.(object)["action"] //nolint:errcheck // another type is a failure of the test
					if action == "Accept" || i == len(rules)-1 && action != "Deny" {
						t.Errorf("%s rule %d of %v: %v", direction, i, o, action)
					}
				}
			}
		}
	}
}

func TestEveryConnectionOfTheDataIsAWay(t *testing.T) {
	shape := isolation.Shape{Egress: true, EgressPorts: []int32{443, 465}}
	found := 0
	for _, role := range shape.Roles() {
		for _, in := range []bool{true, false} {
			for _, w := range ways(shape, role, in) {
				found += len(w.ports)
			}
		}
	}
	want := 0
	for _, c := range shape.Connections() {
		for _, end := range []isolation.End{c.From, c.To} {
			if end == isolation.ChatServer || end == isolation.Postgres || end == isolation.Egress {
				want++
			}
		}
	}
	if found != want {
		t.Errorf("%d ways, want %d", found, want)
	}
}
