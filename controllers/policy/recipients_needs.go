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

// Needs are the hosts that a tenant's configuration asks for: those of the key in use, and during a rotation those of
// the key that wrapped the keysets so far. An error names a field that cannot be understood.
func Needs(tenant *v1alpha1.ChatTenant) ([]Need, error) {
	encryption := tenant.Spec.Encryption
	needs, err := KeyNeeds(encryption, encryption.NewestKey())
	if err != nil {
		return nil, err
	}
	status := tenant.Status.Encryption
	if status == nil || status.ActiveGeneration == 0 || status.ActiveGeneration == encryption.NewestKey() {
		return needs, nil
	}
	active, err := KeyNeeds(encryption, status.ActiveGeneration)
	for _, need := range active {
		if !slices.ContainsFunc(needs, func(n Need) bool { return n.Endpoint == need.Endpoint }) {
			needs = append(needs, need)
		}
	}
	return needs, err
}

// KeyNeeds are the hosts that the key of a generation takes, none for one in a Secret.
func KeyNeeds(encryption *v1alpha1.Encryption, generation int64) ([]Need, error) {
	key := encryption.External(generation)
	if key == nil {
		return nil, nil
	}
	field := "spec.encryption"
	if generation != encryption.NewestKey() {
		field += ".previous[]"
	}
	if key.KMS != nil {
		return cloudNeeds(field+".kms.uri", key.KMS)
	}
	field += ".vaultTransit.address"
	endpoint, err := endpointOf(key.VaultTransit.Address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return []Need{{field, endpoint}}, nil
}

func cloudNeeds(field string, key *v1alpha1.KMSKey) ([]Need, error) {
	parsed, err := kmshelper.ParseKey(key.URI)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	var needs []Need
	for _, host := range parsed.Hosts() {
		// Only whoever acts as a service account of Google's asks for its credentials.
		if host == kmshelper.GoogleCredentials && key.ServiceAccount == "" {
			continue
		}
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
			return v1alpha1.RecipientEndpoint{}, fmt.Errorf("%s is no port", u.Port())
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

// Covering are all recipients that a status tells of whose endpoints have a host that is needed, those that are not
// effective any more included: who holds a key does not change when the way there is closed.
func Covering(needs []Need, listed []v1alpha1.SubProcessorStatus) (names []string) {
	for _, r := range listed {
		if slices.ContainsFunc(needs, func(n Need) bool { return slices.Contains(r.Endpoints, n.Endpoint) }) {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}
