// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package serverconfig is the configuration file of the chat server: written by the operator into a ConfigMap, read by
// the chat server at start. It holds no secret: keys and certificates are files that it names.
package serverconfig

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// Identity of this file format.
const (
	APIVersion = "config.chattenant.io/v1alpha1"
	Kind       = "ChatServerConfiguration"
)

// ChatServerConfiguration configures one tenant's chat server.
type ChatServerConfiguration struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`

	Tenant   Tenant   `json:"tenant"`
	Endpoint Endpoint `json:"endpoint"`
	Listen   Listen   `json:"listen"`
	TLS      KeyPair  `json:"tls"`
	Database Database `json:"database"`
	Sealing  Sealing  `json:"sealing"`
	// Egress leads to whatever is outside of the tenant. Without it connections are made directly, which the network
	// policies of a tenant's namespace do not let through.
	Egress *egressconfig.Client `json:"egress,omitempty"`
	// TrustFile holds the tenant's trust document (package trust), reread when it changes. It may come later than the
	// server starts.
	TrustFile string `json:"trustFile"`
	// DrainSeconds bounds a graceful stop: how long open sockets get to leave.
	DrainSeconds int32 `json:"drainSeconds"`
}

// Tenant says whose server this is. Name is part of the associated data of everything sealed and must never change.
type Tenant struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	PolicyURL   string `json:"policyURL"`
	Region      Region `json:"region"`
}

// Region is what visitors are told about the place of their data.
type Region struct {
	Name         string `json:"name"`
	DisplayName  string `json:"displayName"`
	Jurisdiction string `json:"jurisdiction"`
}

// Endpoint is the public name and the sites that may frame the widget.
type Endpoint struct {
	Host           string   `json:"host"`
	AllowedOrigins []string `json:"allowedOrigins"`
}

// Listen holds listening addresses, host:port.
type Listen struct {
	// Public serves visitors and agents. Every connection must begin with a PROXY protocol version 2 header.
	Public string `json:"public"`
	// Health serves probes and metrics.
	Health string `json:"health"`
}

// KeyPair names PEM files; both are reread when they change.
type KeyPair struct {
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
}

// Database is reached over mutual TLS; no password exists.
type Database struct {
	// Host is both dialled and verified (verify-full).
	Host string  `json:"host"`
	Port int32   `json:"port"`
	Name string  `json:"name"`
	User string  `json:"user"`
	TLS  KeyPair `json:"tls"`
	// CAFile holds the only root that may have signed the server's certificate.
	CAFile string `json:"caFile"`
	// MaxConnections bounds the pool.
	MaxConnections int32 `json:"maxConnections"`
}

// Parse reads a configuration strictly: unknown and repeated fields are errors, as is any missing one.
func Parse(data []byte) (*ChatServerConfiguration, error) {
	var c ChatServerConfiguration
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return nil, fmt.Errorf("parse configuration: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("validate configuration: %w", err)
	}
	return &c, nil
}

// DrainTimeout is DrainSeconds as a duration.
func (c *ChatServerConfiguration) DrainTimeout() time.Duration {
	return time.Duration(c.DrainSeconds) * time.Second
}

// Validate reports every missing or malformed field at once.
func (c *ChatServerConfiguration) Validate() error {
	var errs []error
	if c.APIVersion != APIVersion || c.Kind != Kind {
		errs = append(errs, fmt.Errorf("apiVersion, kind: want %s %s, got %s %s", APIVersion, Kind, c.APIVersion, c.Kind))
	}
	errs = append(errs, missing(c.required()...)...)
	errs = append(errs, c.validateOrigins()...)
	errs = append(errs, c.Sealing.validate()...)
	errs = append(errs, c.validateEgress()...)
	return errors.Join(append(errs, c.validateNumbers()...)...)
}

func (c *ChatServerConfiguration) validateEgress() (errs []error) {
	if c.Egress == nil {
		return nil
	}
	for _, err := range c.Egress.Validate() {
		errs = append(errs, fmt.Errorf("egress.%w", err))
	}
	return errs
}

type field struct{ path, value string }

func (c *ChatServerConfiguration) required() []field {
	return []field{
		{"tenant.name", c.Tenant.Name},
		{"tenant.displayName", c.Tenant.DisplayName},
		{"tenant.policyURL", c.Tenant.PolicyURL},
		{"tenant.region.name", c.Tenant.Region.Name},
		{"endpoint.host", c.Endpoint.Host},
		{"listen.public", c.Listen.Public},
		{"listen.health", c.Listen.Health},
		{"tls.certFile", c.TLS.CertFile},
		{"tls.keyFile", c.TLS.KeyFile},
		{"database.host", c.Database.Host},
		{"database.name", c.Database.Name},
		{"database.user", c.Database.User},
		{"database.tls.certFile", c.Database.TLS.CertFile},
		{"database.tls.keyFile", c.Database.TLS.KeyFile},
		{"database.caFile", c.Database.CAFile},
		{"trustFile", c.TrustFile},
	}
}

// origin is strict because origins become part of a content security policy, which ; and , would divide.
var origin = regexp.MustCompile(`^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

func (c *ChatServerConfiguration) validateOrigins() []error {
	var errs []error
	for i, o := range c.Endpoint.AllowedOrigins {
		if !origin.MatchString(o) {
			errs = append(errs, fmt.Errorf("endpoint.allowedOrigins[%d]: want https://host[:port], got %q", i, o))
		}
	}
	return errs
}

func (c *ChatServerConfiguration) validateNumbers() []error {
	var errs []error
	if c.Database.Port < 1 || c.Database.Port > 65535 {
		errs = append(errs, fmt.Errorf("database.port: want 1 to 65535, got %d", c.Database.Port))
	}
	if c.Database.MaxConnections < 1 {
		errs = append(errs, errors.New("database.maxConnections: want at least 1"))
	}
	if c.DrainSeconds < 1 {
		errs = append(errs, errors.New("drainSeconds: want at least 1"))
	}
	return errs
}
