// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// mutant is an admission policy with one thing wrong in it.
type mutant struct {
	// name says what was done, for people.
	name   string
	policy *admissionregistrationv1.ValidatingAdmissionPolicy
}

// mutants are all that can be made of a policy by leaving one thing out: of its expressions what leftOut
// finds, a whole expression, a variable, an operation, a resource, a rule about resources, a scope, a selector.
func mutants(p *admissionregistrationv1.ValidatingAdmissionPolicy) (all []mutant) {
	add := func(name string, change func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)) {
		changed := p.DeepCopy()
		change(&changed.Spec)
		all = append(all, mutant{p.Name + ": " + name, changed})
	}
	for i, v := range p.Spec.Validations {
		for _, m := range append(leftOut(v.Expression), replacement{"all of it", "true"}) {
			add(fmt.Sprintf("validation %d %s", i+1, m.what), func(p *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				p.Validations[i].Expression = m.expression
			})
		}
	}
	for i, c := range p.Spec.MatchConditions {
		for _, m := range append(leftOut(c.Expression), replacement{"all of it", "true"}) {
			add("condition "+c.Name+" "+m.what, func(p *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				p.MatchConditions[i].Expression = m.expression
			})
		}
	}
	for i, v := range p.Spec.Variables {
		for _, m := range append(leftOut(v.Expression), nothingInstead(v.Expression)...) {
			add("variable "+v.Name+" "+m.what, func(p *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				p.Variables[i].Expression = m.expression
			})
		}
	}
	return append(all, narrowings(p)...)
}

// narrowings leave out a part of what a policy is asked about.
func narrowings(p *admissionregistrationv1.ValidatingAdmissionPolicy) (all []mutant) {
	add := func(name string, change func(*admissionregistrationv1.MatchResources)) {
		changed := p.DeepCopy()
		change(changed.Spec.MatchConstraints)
		all = append(all, mutant{p.Name + ": " + name, changed})
	}
	m := p.Spec.MatchConstraints
	if s := m.NamespaceSelector; s != nil && len(s.MatchExpressions)+len(s.MatchLabels) > 0 {
		add("without its namespaces", func(m *admissionregistrationv1.MatchResources) { m.NamespaceSelector = nil })
	}
	if s := m.ObjectSelector; s != nil && len(s.MatchExpressions)+len(s.MatchLabels) > 0 {
		add("without its objects", func(m *admissionregistrationv1.MatchResources) { m.ObjectSelector = nil })
	}
	for i := range m.ResourceRules {
		if len(m.ResourceRules) > 1 {
			add("without all of "+m.ResourceRules[i].Resources[0], func(m *admissionregistrationv1.MatchResources) {
				m.ResourceRules = slices.Delete(m.ResourceRules, i, i+1)
			})
		}
		all = append(all, narrowed(p, i)...)
	}
	return all
}

// narrowed leave out a part of one of its rules about resources.
func narrowed(p *admissionregistrationv1.ValidatingAdmissionPolicy, i int) (all []mutant) {
	add := func(name string, change func(*admissionregistrationv1.NamedRuleWithOperations)) {
		changed := p.DeepCopy()
		change(&changed.Spec.MatchConstraints.ResourceRules[i])
		all = append(all, mutant{p.Name + ": " + name, changed})
	}
	rule := p.Spec.MatchConstraints.ResourceRules[i]
	for j, operation := range rule.Operations {
		if len(rule.Operations) > 1 {
			add("without "+string(operation)+" of "+rule.Resources[0],
				func(r *admissionregistrationv1.NamedRuleWithOperations) {
					r.Operations = slices.Delete(r.Operations, j, j+1)
				})
		}
	}
	for j, resource := range rule.Resources {
		if len(rule.Resources) > 1 {
			add("without "+resource,
				func(r *admissionregistrationv1.NamedRuleWithOperations) {
					r.Resources = slices.Delete(r.Resources, j, j+1)
				})
		}
	}
	if rule.Scope != nil && *rule.Scope != admissionregistrationv1.AllScopes {
		add("in any scope", func(r *admissionregistrationv1.NamedRuleWithOperations) { r.Scope = nil })
	}
	return all
}
