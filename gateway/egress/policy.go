// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import "github.com/chattenant/chattenant/api/egressconfig"

// policy is a configuration as it is asked: who may be reached, and at what cost.
type policy struct {
	limits egressconfig.Limits
	names  map[string]bool
	owners map[egressconfig.Endpoint]string
}

func newPolicy(config *egressconfig.EgressConfiguration) *policy {
	p := &policy{limits: config.Limits, names: map[string]bool{}, owners: map[egressconfig.Endpoint]string{}}
	for _, recipient := range config.Recipients {
		p.names[recipient.Name] = true
		for _, endpoint := range recipient.Endpoints {
			if owner, shared := p.owners[endpoint]; !shared || recipient.Name < owner {
				p.owners[endpoint] = recipient.Name
			}
		}
	}
	return p
}

// recipient is whose endpoint this is.
func (p *policy) recipient(endpoint egressconfig.Endpoint) (string, bool) {
	name, ok := p.owners[endpoint]
	return name, ok
}

func (p *policy) declares(endpoint egressconfig.Endpoint, recipient string) bool {
	owner, ok := p.owners[endpoint]
	return ok && owner == recipient
}
