// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxHost = 253 // RFC 1035, without the trailing dot
	maxPort = 65535
)

// host is a fully qualified DNS name in its one canonical form: lower case, at least two labels, no trailing dot. The
// last label begins with a letter, which leaves out every notation of an IPv4 address.
var host = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Endpoint is one host and TCP port.
type Endpoint struct {
	// Host is an exact DNS name: lower case, no trailing dot, no wildcard, no address.
	Host string `json:"host"`
	Port int32  `json:"port"`
}

// ParseEndpoint reads host:port. There is one spelling of every endpoint and this takes no other, so that two readers
// of one text can never mean two places.
func ParseEndpoint(text string) (Endpoint, error) {
	name, digits, ok := strings.Cut(text, ":")
	if !ok {
		return Endpoint{}, errors.New("want host:port")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != digits {
		return Endpoint{}, errors.New("want a decimal port after the first colon")
	}
	e := Endpoint{Host: name, Port: int32(port)}
	return e, e.Validate()
}

// Validate is nil for an endpoint in its canonical form.
func (e Endpoint) Validate() error {
	if len(e.Host) > maxHost || !host.MatchString(e.Host) {
		return fmt.Errorf("host: want a DNS name in lower case without trailing dot, got %q", e.Host)
	}
	if e.Port < 1 || e.Port > maxPort {
		return fmt.Errorf("port: want 1 to %d, got %d", maxPort, e.Port)
	}
	return nil
}

// String is host:port, as in a CONNECT request.
func (e Endpoint) String() string { return e.Host + ":" + strconv.Itoa(int(e.Port)) }

func compareEndpoints(a, b Endpoint) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port))
}
