// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig

import (
	"fmt"
	"net/url"
)

// VaultTransit is a key of the transit engine of Vault (1.13 or newer) or OpenBao. It must be of a type that takes
// associated data, such as aes256-gcm96 or chacha20-poly1305. The policy needs update, and only that, on encrypt and
// decrypt of this key: with create the server would make a key whose name was mistyped.
type VaultTransit struct {
	// Generation counts rotations, as SecretKey's does. Rotating the key inside the engine needs no new one.
	Generation int64 `json:"generation"`
	// Address is the server's https:// address. Redirects are not followed.
	Address string `json:"address"`
	// Namespace is the server's, empty for none.
	Namespace string `json:"namespace,omitempty"`
	// MountPath is where the transit engine is mounted.
	MountPath string `json:"mountPath"`
	// Key is the name of the transit key.
	Key string `json:"key"`
	// CAFile holds the only roots that may have signed the server's certificate.
	CAFile string `json:"caFile"`
	// Auth is how the server knows the tenant.
	Auth VaultAuth `json:"auth"`
}

// VaultAuth is one way to authenticate; exactly one is set. Every file is read anew for each session, which lasts a
// minute, so whoever rotates them need not restart anything.
type VaultAuth struct {
	// JWT logs in with a token of the pod's ServiceAccount, projected for the server's audience.
	JWT *VaultJWT `json:"jwt,omitempty"`
	// Certificate logs in with a TLS client certificate.
	Certificate *VaultCertificate `json:"certificate,omitempty"`
	// TokenFile holds a token that somebody else keeps valid.
	TokenFile string `json:"tokenFile,omitempty"`
}

// VaultJWT is the auth method jwt or kubernetes: both take the same login.
type VaultJWT struct {
	// MountPath is where the method is mounted, as jwt or kubernetes.
	MountPath string `json:"mountPath"`
	Role      string `json:"role"`
	// File holds the JWT.
	File string `json:"file"`
}

// VaultCertificate is the auth method cert.
type VaultCertificate struct {
	// MountPath is where the method is mounted, as cert.
	MountPath string `json:"mountPath"`
	// Role is the certificate role to log in with.
	Role    string  `json:"role"`
	KeyPair KeyPair `json:"keyPair"`
}

func (k *VaultTransit) validate(path string) (errs []error) {
	u, err := url.Parse(k.Address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RequestURI() != "/" || u.Fragment != "" {
		errs = append(errs, fmt.Errorf("%s.address: want https://host[:port]", path))
	}
	errs = append(errs, missing(
		field{path + ".mountPath", k.MountPath}, field{path + ".key", k.Key}, field{path + ".caFile", k.CAFile})...)
	return append(errs, k.Auth.validate(path+".auth")...)
}

func (a *VaultAuth) validate(path string) (errs []error) {
	ways := 0
	if a.JWT != nil {
		ways++
		errs = missing(field{path + ".jwt.mountPath", a.JWT.MountPath}, field{path + ".jwt.role", a.JWT.Role},
			field{path + ".jwt.file", a.JWT.File})
	}
	if c := a.Certificate; c != nil {
		ways++
		errs = append(errs, missing(field{path + ".certificate.mountPath", c.MountPath},
			field{path + ".certificate.role", c.Role}, field{path + ".certificate.keyPair.certFile", c.KeyPair.CertFile},
			field{path + ".certificate.keyPair.keyFile", c.KeyPair.KeyFile})...)
	}
	if a.TokenFile != "" {
		ways++
	}
	if ways != 1 {
		errs = append(errs, fmt.Errorf("%s: want exactly one of jwt, certificate and tokenFile", path))
	}
	return errs
}

func missing(fields ...field) (errs []error) {
	for _, f := range fields {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("%s: required", f.path))
		}
	}
	return errs
}
