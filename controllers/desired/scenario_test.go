// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// A scenario is one Input and the builders that are called for it, in the order in which the loop applies them.
type scenario struct {
	name   string
	in     Input
	phases []phase
}

type phase struct {
	name    string
	objects []any
}

// scenarios have golden files.
func scenarios() []scenario {
	minimal, full, unknown := minimalInput(), fullInput(), minimalInput()
	unknown.PostgresAddress = ""
	closed := recipientInput()
	closed.Egress.Recipients = nil
	return []scenario{
		{"one-recipient", recipientInput(), everything(recipientInput())},
		{"several-ports", recipientsInput(), everything(recipientsInput())},
		{"no-recipient-effective", closed, everything(closed)},
		{"key-in-vault", vaultInput(), everything(vaultInput())},
		{"key-moved-to-cloud", cloudInput(), everything(cloudInput())},
		{"minimal-eu", minimal, everything(minimal)},
		{"full-us", full, everything(full)},
		{"address-unknown", unknown, []phase{
			{"database", generic(Database(unknown))},
			{"chatserver", generic(ChatServer(unknown))},
		}},
		{"retained", minimal, []phase{{"namespace", []any{RetainedNamespace(minimal)}}}},
	}
}

// everyScenario adds those that rules hold for as well and that would not be worth reading.
func everyScenario() []scenario {
	longest, largest := fullInput(), fullInput()
	longest.Tenant.Name = "a-tenant-with-the-longest-name-allowed-x"
	largest.Class.Spec.ChatServer = v1alpha1.ClassChatServer{Replicas: 10}
	return append(scenarios(),
		scenario{"longest-name", longest, everything(longest)},
		scenario{"largest-class", largest, everything(largest)})
}

func everything(in Input) []phase {
	return []phase{
		{"namespace", []any{Namespace(in), OperatorBinding(in)}},
		{"guardrails", generic(Guardrails(in))},
		{"keys", keysOf(in)},
		{"certificates", generic(Certificates(in))},
		{"database", generic(Database(in))},
		{"egress", generic(EgressGateway(in))},
		{"trust", []any{TrustDocument(in, trustFacts(in))}},
		{"chatserver", generic(ChatServer(in))},
		{"isolation", generic(probesOf(in))},
	}
}

// probesOf is a probe in every role's place.
func probesOf(in Input) (probes []Object) {
	for _, role := range ProbeRoles(in) {
		probes = append(probes, IsolationProbe(in, Probe{
			Role: role, Plan: []byte(`{"version":1}`), PoliciesDigest: "0123456789abcdef", After: "2026-11-22T10:00:00Z",
		}))
	}
	return probes
}

func keysOf(in Input) (out []any) {
	for _, generation := range secretGenerations(in) {
		out = append(out, secretWithKind(Keys(in, generation, make([]byte, 32))))
	}
	return out
}

func generic(objects []Object) []any {
	out := make([]any, 0, len(objects))
	for _, object := range objects {
		out = append(out, object)
	}
	return out
}

// secretWithKind adds what a typed client sends in the address.
func secretWithKind(s *corev1.Secret) *corev1.Secret {
	s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	return s
}

func minimalInput() Input {
	return Input{
		Tenant: &v1alpha1.ChatTenant{
			ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "11111111-2222-3333-4444-555555555555"},
			Spec: v1alpha1.ChatTenantSpec{
				ClassName:   "standard",
				DisplayName: "Acme GmbH",
				Region:      "eu-central",
				Endpoint: v1alpha1.Endpoint{
					Host:           "chat.acme.example",
					AllowedOrigins: []v1alpha1.Origin{"https://www.acme.example"},
				},
				Privacy: v1alpha1.Privacy{PolicyURL: "https://www.acme.example/privacy"},
			},
		},
		Class: &v1alpha1.ChatTenantClass{
			ObjectMeta: metav1.ObjectMeta{Name: "standard"},
			Spec: v1alpha1.ChatTenantClassSpec{
				IssuerRef:  v1alpha1.IssuerReference{Kind: v1alpha1.IssuerKindCluster, Name: "public"},
				Images:     v1alpha1.Images{ChatServer: "registry.example/chatserver:v1", Postgres: "registry.example/postgres:15"},
				Database:   v1alpha1.ClassDatabase{Engine: v1alpha1.EngineStandalone, StorageSize: resource.MustParse("1Gi")},
				ChatServer: v1alpha1.ClassChatServer{Replicas: 1},
			},
		},
		Region:          region("eu-central", "Frankfurt", "DE"),
		System:          exampleSystem(),
		PostgresAddress: "10.96.0.10",
		KeyGeneration:   1,
	}
}

func fullInput() Input {
	in := minimalInput()
	in.Region = region("us-east", "Ashburn", "US")
	in.Region.Spec.NodeSelector["kubernetes.io/arch"] = "amd64"
	in.Tenant.Name, in.Tenant.UID = "globex", "99999999-8888-7777-6666-555555555555"
	in.Tenant.Spec.Region = "us-east"
	in.Tenant.Spec.DisplayName = `Globex "US" Corp: 50% off #1`
	in.Tenant.Spec.Endpoint.Host = "chat.globex.example"
	in.Tenant.Spec.Endpoint.AllowedOrigins = []v1alpha1.Origin{
		"https://www.globex.example", "https://shop.globex.example:8443",
	}
	in.Tenant.Spec.Database = &v1alpha1.TenantDatabase{StorageSize: resource.MustParse("20480Mi")}
	in.Class.Spec.ChatServer = v1alpha1.ClassChatServer{Replicas: 3, Resources: resources("0.1", "64Mi", "1", "256Mi")}
	in.Class.Spec.Database.Resources = resources("250m", "128Mi", "2000m", "512Mi")
	in.Class.Spec.Isolation = &v1alpha1.Isolation{
		RuntimeClassName: "gvisor", DedicatedNodes: v1alpha1.DedicatedNodesRequired,
	}
	in.Class.Spec.Processor = &v1alpha1.Processor{
		LegalName: "Chat <AG>", Address: "Bern, Switzerland", Contact: "privacy@chat.example",
	}
	in.Tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"US", "CA"}}
	in.PostgresAddress = "fd00:10:96::a"
	in.KeyGeneration = 2
	return in
}

func recipientInput() Input {
	in := minimalInput()
	in.Class.Spec.Images.EgressGateway = "registry.example/gateway:v1"
	in.Egress = &Egress{Address: "10.96.0.11", Recipients: []Recipient{
		{"mail-relay-eu", []v1alpha1.RecipientEndpoint{{Host: "smtp.mail.example", Port: 465}}},
	}}
	return in
}

// recipientsInput has recipients that share ports, and more than one gateway.
func recipientsInput() Input {
	in := fullInput()
	in.Class.Spec.Images.EgressGateway = "registry.example/gateway:v1"
	in.Egress = &Egress{Address: "fd00:10:96::b", Recipients: []Recipient{
		{"object-store-us", []v1alpha1.RecipientEndpoint{{Host: "s3.objects.example", Port: 443}}},
		{"mail-relay-us", []v1alpha1.RecipientEndpoint{
			{Host: "smtp.mail.example", Port: 587}, {Host: "smtp.mail.example", Port: 465},
			{Host: "api.mail.example", Port: 443},
		}},
	}}
	return in
}

func region(name, displayName string, jurisdiction v1alpha1.Jurisdiction) *v1alpha1.DataRegion {
	return &v1alpha1.DataRegion{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.DataRegionSpec{
			DisplayName:  displayName,
			Jurisdiction: jurisdiction,
			NodeSelector: map[string]v1alpha1.LabelValue{
				"node-restriction.kubernetes.io/region": v1alpha1.LabelValue(name),
			},
			StorageClassName: "local-" + name,
		},
	}
}

func resources(requestCPU, requestMemory, limitCPU, limitMemory string) *v1alpha1.Resources {
	return &v1alpha1.Resources{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(requestCPU),
			corev1.ResourceMemory: resource.MustParse(requestMemory),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(limitCPU),
			corev1.ResourceMemory: resource.MustParse(limitMemory),
		},
	}
}

func exampleSystem() System {
	return System{
		Namespace:              "chattenant-system",
		OperatorServiceAccount: "chattenant-operator",
		GatewayName:            "chattenant-gateway",
		TenantClusterRole:      "chattenant-tenant",
	}
}

// forEachObject runs check over every object of every scenario.
func forEachObject(t *testing.T, check func(t *testing.T, in Input, object *unstructured.Unstructured)) {
	t.Helper()
	for _, s := range everyScenario() {
		for _, object := range s.objects(t) {
			t.Run(s.name+"/"+object.GetKind()+"/"+object.GetName(), func(t *testing.T) { check(t, s.in, object) })
		}
	}
}

// forEachPod runs check over every pod template of every scenario.
func forEachPod(t *testing.T, check func(t *testing.T, in Input, pod corev1.PodTemplateSpec)) {
	t.Helper()
	found := 0
	forEachObject(t, func(t *testing.T, in Input, object *unstructured.Unstructured) {
		t.Helper()
		if pod, ok := podTemplateOf(t, object); ok {
			found++
			check(t, in, pod)
		}
	})
	if found < 2 {
		t.Fatalf("found %d pod templates in all scenarios: the rule was not tested", found)
	}
}

func podTemplateOf(t *testing.T, object *unstructured.Unstructured) (corev1.PodTemplateSpec, bool) {
	t.Helper()
	template, found, err := unstructured.NestedMap(object.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	return decode[corev1.PodTemplateSpec](t, template), found
}

// objects are the scenario's objects as they go over the wire.
func (s scenario) objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, p := range s.phases {
		for _, object := range p.objects {
			all = append(all, &unstructured.Unstructured{Object: decode[map[string]any](t, object)})
		}
	}
	return all
}

// find returns the scenario's object of that kind and name, as the API's own type.
func find[T any](t *testing.T, s scenario, kind, name string) T {
	t.Helper()
	objects := s.objects(t)
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == kind && o.GetName() == name
	})
	if i < 0 {
		t.Fatalf("%s: no %s %s", s.name, kind, name)
	}
	return decode[T](t, objects[i].Object)
}

// decode turns value into a T by way of JSON. A field that T does not have is an error.
func decode[T any](t *testing.T, value any) T {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var out T
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("decode %T: %v", out, err)
	}
	return out
}
