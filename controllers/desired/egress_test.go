// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"net"
	"path"
	"slices"
	"strconv"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
)

// egressConfigOf parses the configuration as the gateway does.
func egressConfigOf(t *testing.T, scenario string) *egressconfig.EgressConfiguration {
	t.Helper()
	files := find[corev1.ConfigMap](t, named(t, scenario), "ConfigMap", "egress").Data
	config, err := egressconfig.Parse([]byte(files["egress.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestTheGatewayIsToldWhatIsEffectiveAndNothingElse(t *testing.T) {
	for scenario, want := range map[string][]egressconfig.Recipient{
		"no-recipient-effective": {},
		"one-recipient": {{Name: "mail-relay-eu", Endpoints: []egressconfig.Endpoint{{Host: "smtp.mail.example",
			Port: 465}}}},
		"several-ports": {
			{Name: "mail-relay-us", Endpoints: []egressconfig.Endpoint{
				{Host: "api.mail.example", Port: 443}, {Host: "smtp.mail.example", Port: 465},
				{Host: "smtp.mail.example", Port: 587},
			}},
			{Name: "object-store-us", Endpoints: []egressconfig.Endpoint{{Host: "s3.objects.example", Port: 443}}},
		},
	} {
		config := egressConfigOf(t, scenario)
		if diff := cmp.Diff(want, config.Recipients); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
		if config.Tenant != named(t, scenario).in.Tenant.Name {
			t.Errorf("%s: tenant %q", scenario, config.Tenant)
		}
	}
}

func TestWithoutAGatewayNothingOfItIsThere(t *testing.T) {
	for _, object := range named(t, "full-us").objects(t) {
		if object.GetName() == "egress" || object.GetName() == "egress-client" {
			t.Errorf("%s %s", object.GetKind(), object.GetName())
		}
	}
}

// TestAChangeOfRecipientsRestartsNoGateway: connections to the others go on.
func TestAChangeOfRecipientsRestartsNoGateway(t *testing.T) {
	one, closed := find[appsv1.Deployment](t, named(t, "one-recipient"), "Deployment", "egress"),
		find[appsv1.Deployment](t, named(t, "no-recipient-effective"), "Deployment", "egress")
	if diff := cmp.Diff(one.Spec, closed.Spec); diff != "" {
		t.Errorf("the workload differs with its recipients:\n%s", diff)
	}
	if diff := cmp.Diff(chatServerOf(t, "one-recipient"), chatServerOf(t, "no-recipient-effective")); diff != "" {
		t.Errorf("the chat server differs with the recipients:\n%s", diff)
	}
	if EgressRevision(recipientInput()) == EgressRevision(recipientsInput()) {
		t.Error("two configurations have one revision")
	}
}

func TestTheOrderOfRecipientsIsNoChange(t *testing.T) {
	in := recipientsInput()
	want := EgressRevision(in)
	slices.Reverse(in.Egress.Recipients)
	slices.Reverse(in.Egress.Recipients[0].Endpoints)
	if got := EgressRevision(in); got != want {
		t.Error("the same recipients in another order are another revision")
	}
}

func TestTheChatServerWaitsForTheGatewaysAddress(t *testing.T) {
	in := recipientInput()
	in.Egress.Address = ""
	if objects := ChatServer(in); objects != nil {
		t.Errorf("%d objects without it", len(objects))
	}
	var found bool
	for _, alias := range chatServerOf(t, "one-recipient").Spec.HostAliases {
		found = found || alias.IP == "10.96.0.11" && slices.Equal(alias.Hostnames, []string{"egress.chat-acme.svc"})
	}
	if !found {
		t.Error("the chat server does not know the gateway's address")
	}
}

// TestTheChatServerFindsItsWayOut follows the address to the hosts file, and each path to the Secret and its key.
func TestTheChatServerFindsItsWayOut(t *testing.T) {
	egress, pod := serverConfigOf(t, "several-ports").Egress, chatServerOf(t, "several-ports")
	host, port, err := net.SplitHostPort(egress.Address)
	known := slices.ContainsFunc(pod.Spec.HostAliases, func(a corev1.HostAlias) bool {
		return slices.Contains(a.Hostnames, host)
	})
	if err != nil || port != strconv.Itoa(naming.EgressPort) || !known || host != egress.ServerName {
		t.Errorf("address %q, name %q (%v)", egress.Address, egress.ServerName, err)
	}
	for file, want := range map[string]string{
		egress.CertFile: "egress-client/tls.crt", egress.KeyFile: "egress-client/tls.key",
		egress.CAFile: "egress-client/ca.crt",
	} {
		if got := secretAt(pod, path.Dir(file)) + "/" + path.Base(file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
	if config := serverConfigOf(t, "full-us"); config.Egress != nil {
		t.Errorf("a way out without a gateway: %+v", config.Egress)
	}
}

func TestTheGatewayProvesTheNameItIsDialledBy(t *testing.T) {
	server := find[certmanagerv1.Certificate](t, named(t, "one-recipient"), "Certificate", "egress")
	if want := []string{naming.ServiceHost("acme", naming.Egress)}; !slices.Equal(server.Spec.DNSNames, want) {
		t.Errorf("names %v, want %v", server.Spec.DNSNames, want)
	}
	client := find[certmanagerv1.Certificate](t, named(t, "one-recipient"), "Certificate", "egress-client")
	if client.Spec.CommonName != naming.EgressClientName || len(client.Spec.DNSNames) != 0 {
		t.Errorf("client: %q %v", client.Spec.CommonName, client.Spec.DNSNames)
	}
	for _, c := range []certmanagerv1.Certificate{server, client} {
		if c.Spec.IssuerRef.Name != "internal-ca" || c.Spec.IssuerRef.Kind != "Issuer" {
			t.Errorf("%s is signed by %+v", c.Name, c.Spec.IssuerRef)
		}
	}
}

// TestAGatewayThatGoesIsGoneWithinTenSeconds: with it go the connections to what was removed.
func TestAGatewayThatGoesIsGoneWithinTenSeconds(t *testing.T) {
	pod := egressOf(t, "several-ports")
	grace, sleep := *pod.Spec.TerminationGracePeriodSeconds, pod.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	if grace > 9 || sleep+egressDrainSeconds >= grace {
		t.Errorf("%d s until the signal, %d s of draining, %d s until the kill", sleep, egressDrainSeconds, grace)
	}
}

func TestThereAreTwoGatewaysWhereThereAreTwoChatServers(t *testing.T) {
	for scenario, want := range map[string]int32{"one-recipient": 1, "several-ports": 2} {
		deployment := find[appsv1.Deployment](t, named(t, scenario), "Deployment", "egress")
		budgets := 0
		for _, object := range named(t, scenario).objects(t) {
			if object.GetKind() == "PodDisruptionBudget" && object.GetName() == "egress" {
				budgets++
			}
		}
		if *deployment.Spec.Replicas != want || budgets != int(want)-1 {
			t.Errorf("%s: %d gateways and %d budgets", scenario, *deployment.Spec.Replicas, budgets)
		}
	}
}

func egressPolicy(t *testing.T, scenario string) networkingv1.NetworkPolicySpec {
	t.Helper()
	return find[networkingv1.NetworkPolicy](t, named(t, scenario), "NetworkPolicy", "egress").Spec
}

func TestAGatewayWithNothingToOpenReachesNothing(t *testing.T) {
	if spec := egressPolicy(t, "no-recipient-effective"); len(spec.Egress) != 0 || len(spec.PolicyTypes) != 2 {
		t.Errorf("egress %+v, directions %v", spec.Egress, spec.PolicyTypes)
	}
}

func TestTheGatewaysSizesBendToTheClass(t *testing.T) {
	in := recipientInput()
	in.Class.Spec.ChatServer.Resources = limits("5m", "16Mi")
	in.Class.Spec.Database.Resources = limits("1", "48Mi")
	s := egressSizes(in)
	if s.limits.Cpu().Cmp(resource.MustParse("5m")) != 0 || s.requests.Cpu().Cmp(resource.MustParse("5m")) != 0 {
		t.Errorf("CPU: %s of %s", s.requests.Cpu(), s.limits.Cpu())
	}
	most := find[corev1.LimitRange](t, scenario{"small", in, everything(in)}, "LimitRange", "tenant").Spec.Limits[0].Max
	if most.Memory().Cmp(*s.limits.Memory()) < 0 {
		t.Errorf("a container may have %s, the gateway asks for %s", most.Memory(), s.limits.Memory())
	}
}
