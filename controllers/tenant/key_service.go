// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// keyOutOfReach says what keeps the chat server from the service of a key, nil if nothing does or there is none. The
// operator asks no key service itself: it knows what is declared and effective.
func (s *scope) keyOutOfReach(generation int64) *outcome {
	// CheckKeys has understood every field.
	needs, _ := policy.KeyNeeds(s.tenant.Spec.Encryption, generation)
	if len(needs) == 0 {
		return nil
	}
	if missing := policy.Uncovered(needs, s.facts.Recipients.List); len(missing) > 0 {
		result := s.undeclared(missing)
		if active := s.status.Encryption; active != nil && active.ActiveGeneration == generation {
			result.message += ". Chat servers go on with the keys that they hold for at most a day after the service last " +
				"confirmed them; then nothing can be read or written until it does again"
		}
		return &result
	}
	if s.unrecorded() {
		return &outcome{waiting, v1alpha1.ReasonEgressUpdating, "A recipient is recorded as effective before it is opened"}
	}
	return nil
}

// undeclared says what to do about needs that no effective recipient covers: wait, if those that are to cover them
// become effective by themselves.
func (s *scope) undeclared(needs []policy.Need) outcome {
	message := fmt.Sprintf("%s needs %s, which no effective recipient covers. ", needs[0].Field,
		strings.Join(hosts(needs), ", "))
	var coming []string
	for _, need := range needs {
		r := s.expected(need)
		if r == nil {
			return outcome{stalled, v1alpha1.ReasonRecipientNotDeclared, message +
				"Use a SubProcessor with each such endpoint in spec.subProcessors.use, and wait for its day"}
		}
		coming = append(coming, fmt.Sprintf("SubProcessor %q on %s", r.Name, r.ExpectedFrom))
	}
	slices.Sort(coming)
	return outcome{waiting, v1alpha1.ReasonRecipientNotDeclared, message +
		"To become effective, unless somebody objects: " + strings.Join(slices.Compact(coming), ", ")}
}

// expected is a recipient that covers a need and becomes effective by itself, nil if there is none.
func (s *scope) expected(need policy.Need) *v1alpha1.SubProcessorStatus {
	for i, r := range s.facts.Recipients.List {
		record := s.facts.Records[r.Name]
		if r.ExpectedFrom != "" && record != nil && slices.Contains(record.Spec.Endpoints, need.Endpoint) {
			return &s.facts.Recipients.List[i]
		}
	}
	return nil
}

func hosts(needs []policy.Need) (list []string) {
	for _, need := range needs {
		list = append(list, fmt.Sprintf("%s:%d", need.Endpoint.Host, need.Endpoint.Port))
	}
	return list
}

// keyInUse says which key it is. That it really opens the tenant's keysets shows in the chat servers' readiness.
func (s *scope) keyInUse() outcome {
	generation := s.keyGeneration()
	if s.tenant.Spec.Encryption.External(generation) == nil {
		return outcome{done, v1alpha1.ReasonKeyCreated,
			fmt.Sprintf("Key-encryption key of generation %d was created", generation)}
	}
	where, holders := s.keyHolders(generation)
	return outcome{done, v1alpha1.ReasonKeyDeclared, fmt.Sprintf(
		"Key-encryption key of generation %d is kept at %s by %s; chat servers are ready only if it opens their keys",
		generation, strings.Join(where, ", "), strings.Join(holders, ", "))}
}

// keyHolders are the hosts of a key's service, and the recipients to whom these belong.
func (s *scope) keyHolders(generation int64) (where, holders []string) {
	needs, err := policy.KeyNeeds(s.tenant.Spec.Encryption, generation)
	if err != nil {
		return nil, nil
	}
	return hosts(needs), policy.Covering(needs, s.status.SubProcessors)
}

// needsWayOut says whether the chat server has somebody to reach, declared or not.
func (s *scope) needsWayOut() bool {
	needs, err := policy.Needs(s.tenant)
	return err == nil && len(needs) > 0
}

// trustFacts are what the trust document tells besides what was declared.
func (s *scope) trustFacts() desired.TrustFacts {
	facts := desired.TrustFacts{Status: s.status, Records: s.facts.Records}
	facts.KeyHosts, facts.KeyHeldBy = s.keyHolders(desired.ActiveKey(s.tenant, s.status))
	return facts
}
