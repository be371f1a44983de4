// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package egressconfig is what the operator, a tenant's egress gateway and its chat server agree on: the gateway's
// configuration file, the form of an endpoint, and how a refusal is told. The file holds no secret.
package egressconfig

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

// Identity of this file format.
const (
	APIVersion = "config.chattenant.io/v1alpha1"
	Kind       = "EgressConfiguration"
)

// EgressConfiguration is everything one tenant's egress gateway may do. What is not in it is unreachable.
type EgressConfiguration struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`

	// Tenant is the ChatTenant's name, for log lines.
	Tenant string `json:"tenant"`
	// Recipients are those that are effective now. None is valid: then nothing is reachable.
	Recipients []Recipient `json:"recipients"`
	Limits     Limits      `json:"limits"`
}

// Recipient is a declared SubProcessor. Two recipients may share an endpoint: its connections are counted for the one
// whose name comes first in the alphabet.
type Recipient struct {
	// Name is the SubProcessor's.
	Name string `json:"name"`
	// Endpoints are the only hosts and ports it is reached by.
	Endpoints []Endpoint `json:"endpoints"`
}

// New is a configuration with the default limits, in canonical order.
func New(tenant string, recipients []Recipient) *EgressConfiguration {
	c := &EgressConfiguration{
		APIVersion: APIVersion, Kind: Kind, Tenant: tenant, Recipients: recipients, Limits: DefaultLimits(),
	}
	return c.canonical()
}

// Parse reads a configuration strictly: unknown and repeated fields are errors, as is any missing one.
func Parse(data []byte) (*EgressConfiguration, error) {
	var c EgressConfiguration
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return nil, fmt.Errorf("parse egress configuration: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("validate egress configuration: %w", err)
	}
	return c.canonical(), nil
}

// Marshal writes the canonical file: the same content gives the same bytes, whatever the order it was made in.
func (c *EgressConfiguration) Marshal() ([]byte, error) {
	data, err := yaml.Marshal(c.canonical())
	if err != nil {
		return nil, fmt.Errorf("write egress configuration: %w", err)
	}
	return data, nil
}

// Digest names the content in 64 hexadecimal digits, whatever order or layout it is written in.
func (c *EgressConfiguration) Digest() (string, error) {
	data, err := json.Marshal(c.canonical())
	if err != nil {
		return "", fmt.Errorf("digest egress configuration: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// canonical is a copy in alphabetical order, with a list even where there is nothing to list.
func (c *EgressConfiguration) canonical() *EgressConfiguration {
	sorted := *c
	sorted.Recipients = make([]Recipient, 0, len(c.Recipients))
	for _, r := range c.Recipients {
		endpoints := append([]Endpoint{}, r.Endpoints...)
		slices.SortFunc(endpoints, compareEndpoints)
		sorted.Recipients = append(sorted.Recipients, Recipient{Name: r.Name, Endpoints: endpoints})
	}
	slices.SortFunc(sorted.Recipients, func(a, b Recipient) int { return cmp.Compare(a.Name, b.Name) })
	return &sorted
}

// Validate reports every missing or malformed field at once.
func (c *EgressConfiguration) Validate() error {
	var errs []error
	if c.APIVersion != APIVersion || c.Kind != Kind {
		errs = append(errs, fmt.Errorf("apiVersion, kind: want %s %s, got %s %s", APIVersion, Kind, c.APIVersion, c.Kind))
	}
	if c.Tenant == "" {
		errs = append(errs, errors.New("tenant: required"))
	}
	if c.Recipients == nil {
		errs = append(errs, errors.New("recipients: required, if only as an empty list"))
	}
	names := map[string]bool{}
	for i, r := range c.Recipients {
		path := fmt.Sprintf("recipients[%d]", i)
		if r.Name == "" || names[r.Name] {
			errs = append(errs, fmt.Errorf("%s.name: want a name of its own, got %q", path, r.Name))
		}
		names[r.Name] = true
		errs = append(errs, r.validateEndpoints(path)...)
	}
	return errors.Join(append(errs, c.Limits.validate()...)...)
}

func (r Recipient) validateEndpoints(path string) (errs []error) {
	if len(r.Endpoints) == 0 {
		errs = append(errs, fmt.Errorf("%s.endpoints: want at least one", path))
	}
	seen := map[Endpoint]bool{}
	for i, e := range r.Endpoints {
		if err := e.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s.endpoints[%d]: %w", path, i, err))
		}
		if seen[e] {
			errs = append(errs, fmt.Errorf("%s.endpoints[%d]: %s is there twice", path, i, e))
		}
		seen[e] = true
	}
	return errs
}
