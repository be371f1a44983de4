// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"slices"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
)

// stripped reads from the API server what the operator's cache would hold.
type stripped struct{ client.Reader }

func (s stripped) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if err := s.Reader.Get(ctx, key, o, opts...); err != nil {
		return err
	}
	_, err := apply.Strip(o)
	return err
}

// What the API server gives back must serialise as what was sent, or the operator would write on every pass.
func TestEveryIntentIsRecognisedOnceItIsApplied(t *testing.T) {
	tenant, region := newTenant("recognised"), dataRegion("eu-central", "DE")
	tenant.UID = "11111111-2222-3333-4444-555555555555"
	in := desired.Input{
		Tenant: tenant, Class: class("standard", "public"), Region: region, PostgresAddress: "10.0.0.99", KeyGeneration: 1,
		System: desired.System{
			Namespace: "chattenant-system", OperatorServiceAccount: "chattenant-operator",
			GatewayName: "chattenant-gateway", TenantClusterRole: "chattenant-tenant",
		},
	}
	in.Class.Spec.Images.EgressGateway = "gateway:1"
	in.Egress = &desired.Egress{Address: "10.0.0.98", Recipients: []desired.Recipient{
		{Name: "mail", Endpoints: []v1alpha1.RecipientEndpoint{{Host: "smtp.mail.example", Port: 465}}},
	}}
	applier := &apply.Applier{Reader: stripped{admin}, Writer: admin}
	intents := slices.Concat([]desired.Object{desired.Namespace(in), desired.OperatorBinding(in)}, desired.Guardrails(in),
		desired.Certificates(in), desired.Database(in), desired.EgressGateway(in), desired.ChatServer(in))
	for _, intent := range intents {
		name := *intent.GetKind() + " " + *intent.GetName()
		for pass, want := range []bool{true, false} {
			written, err := applier.Apply(t.Context(), intent)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if written != want {
				t.Errorf("%s, pass %d: written %v, want %v", name, pass+1, written, want)
			}
		}
	}
}
