// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// members lists the countries of a set of jurisdictions, ISO 3166-1 alpha-2. The EEA is the EU with Iceland,
// Liechtenstein and Norway. Source: the treaties, as of 2026.
var members = map[v1alpha1.Jurisdiction]string{
	"EU":  euMembers,
	"EEA": euMembers + " IS LI NO",
}

const euMembers = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"

// Within says whether a country is one of the jurisdictions or a member of one that is a set.
func Within(country v1alpha1.Jurisdiction, jurisdictions []v1alpha1.Jurisdiction) bool {
	for _, j := range jurisdictions {
		if j == country || contains(members[j], string(country)) {
			return true
		}
	}
	return false
}

func contains(set, country string) bool {
	for _, member := range strings.Fields(set) {
		if member == country {
			return true
		}
	}
	return false
}
