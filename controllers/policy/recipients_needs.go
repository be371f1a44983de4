// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// httpsPort is that of an https:// address that names none.
const httpsPort = 443

// Need is a host that a tenant's own chat server has to reach.
type Need struct {
	// Field is the field of the ChatTenant that asks for it.
	Field string
	// Endpoint is what has to be reachable.
	Endpoint v1alpha1.RecipientEndpoint
}

// Needs are the hosts that a tenant's configuration asks for. An error names a field that cannot be understood.
func Needs(tenant *v1alpha1.ChatTenant) ([]Need, error) {
	encryption := tenant.Spec.Encryption
	switch {
	case encryption == nil:
		return nil, nil
	case encryption.VaultTransit != nil:
		const field = "spec.encryption.vaultTransit.address"
		endpoint, err := endpointOf(encryption.VaultTransit.Address)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", field, err)
		}
		return []Need{{field, endpoint}}, nil
	case encryption.KMS != nil:
		return keyNeeds(encryption.KMS.URI)
	}
	return nil, nil
}

func keyNeeds(uri string) ([]Need, error) {
	const field = "spec.encryption.kms.uri"
	key, err := kmshelper.ParseKey(uri)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", field, err)
	}
	var needs []Need
	for _, host := range key.Hosts() {
		needs = append(needs, Need{field, v1alpha1.RecipientEndpoint{Host: host, Port: httpsPort}})
	}
	return needs, nil
}

func endpointOf(address string) (v1alpha1.RecipientEndpoint, error) {
	u, err := url.Parse(address)
	if err != nil {
		return v1alpha1.RecipientEndpoint{}, fmt.Errorf("parse address: %w", err)
	}
	endpoint := v1alpha1.RecipientEndpoint{Host: u.Hostname(), Port: httpsPort}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return v1alpha1.RecipientEndpoint{}, fmt.Errorf("parse port: %w", err)
		}
		endpoint.Port = int32(port)
	}
	return endpoint, nil
}

// Uncovered are the needs that no reachable recipient covers: for each of the others there is one whose record has
// exactly that host and port.
func Uncovered(needs []Need, reachable []v1alpha1.SubProcessorStatus) []Need {
	return slices.DeleteFunc(slices.Clone(needs), func(n Need) bool { return CoveredBy(n, reachable) != "" })
}

// CoveredBy names the reachable recipient that covers a need, empty if none does.
func CoveredBy(n Need, reachable []v1alpha1.SubProcessorStatus) string {
	for _, r := range Reachable(reachable) {
		if slices.Contains(r.Endpoints, n.Endpoint) {
			return r.Name
		}
	}
	return ""
}
