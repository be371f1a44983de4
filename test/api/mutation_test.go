// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// mutant is an admission policy with one thing wrong in it.
type mutant struct {
	// name says what was done, for people.
	name   string
	policy *admissionregistrationv1.ValidatingAdmissionPolicy
}

// mutants are all that can be made of a policy by leaving one thing out: an operand of a conjunction or an alternative,
// a whole expression, an operation, a resource.
func mutants(p *admissionregistrationv1.ValidatingAdmissionPolicy) (all []mutant) {
	add := func(name string, change func(*admissionregistrationv1.ValidatingAdmissionPolicy)) {
		changed := p.DeepCopy()
		change(changed)
		all = append(all, mutant{p.Name + ": " + name, changed})
	}
	for i, v := range p.Spec.Validations {
		for _, m := range append(operandsLeftOut(v.Expression), replacement{"all of it", "true"}) {
			add("validation "+m.what, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.Validations[i].Expression = m.expression
			})
		}
	}
	for i, c := range p.Spec.MatchConditions {
		for _, m := range append(operandsLeftOut(c.Expression), replacement{"all of it", "true"}) {
			add("condition "+c.Name+" "+m.what, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.MatchConditions[i].Expression = m.expression
			})
		}
	}
	for i, v := range p.Spec.Variables {
		for _, m := range operandsLeftOut(v.Expression) {
			add("variable "+v.Name+" "+m.what, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.Variables[i].Expression = m.expression
			})
		}
	}
	return append(all, narrowed(p)...)
}

// narrowed leave out an operation or a resource that a policy is asked about.
func narrowed(p *admissionregistrationv1.ValidatingAdmissionPolicy) (all []mutant) {
	for i, rule := range p.Spec.MatchConstraints.ResourceRules {
		for j, operation := range rule.Operations {
			if len(rule.Operations) == 1 {
				break
			}
			changed := p.DeepCopy()
			changed.Spec.MatchConstraints.ResourceRules[i].Operations = slices.Delete(slices.Clone(rule.Operations), j, j+1)
			all = append(all, mutant{p.Name + ": without " + string(operation) + " of " + rule.Resources[0], changed})
		}
		for j, resource := range rule.Resources {
			if len(rule.Resources) == 1 {
				break
			}
			changed := p.DeepCopy()
			changed.Spec.MatchConstraints.ResourceRules[i].Resources = slices.Delete(slices.Clone(rule.Resources), j, j+1)
			all = append(all, mutant{p.Name + ": without " + resource, changed})
		}
	}
	return all
}

type replacement struct{ what, expression string }

// operandsLeftOut replaces each operand of && by true and each of || by false, at any depth.
func operandsLeftOut(expression string) (all []replacement) {
	for _, span := range operands(expression, 0, len(expression)) {
		what := strings.Join(strings.Fields(expression[span.from:span.to]), " ")
		if what == "true" || what == "false" {
			continue
		}
		all = append(all, replacement{
			"without " + what, expression[:span.from] + " " + span.neutral + " " + expression[span.to:],
		})
	}
	return all
}

// span is an operand and what to put in its place.
type span struct {
	from, to int
	neutral  string
}

// operands finds them between two places of an expression. Of CEL it knows brackets, quotes and precedence.
func operands(expression string, from, to int) (found []span) {
	for _, level := range []struct{ operator, neutral string }{{",", ""}, {"||", "false"}, {"&&", "true"}} {
		parts := splitAt(expression, from, to, level.operator)
		if len(parts) < 2 {
			continue
		}
		for _, part := range parts {
			if level.neutral != "" {
				found = append(found, span{part.from, part.to, level.neutral})
			}
			found = append(found, operands(expression, part.from, part.to)...)
		}
		return found
	}
	for _, inside := range bracketed(expression, from, to) {
		found = append(found, operands(expression, inside.from, inside.to)...)
	}
	return found
}

// splitAt cuts at an operator outside of brackets and quotes.
func splitAt(expression string, from, to int, operator string) (parts []span) {
	begin := from
	scan(expression, from, to, func(i, depth int) {
		if depth == 0 && i >= begin && strings.HasPrefix(expression[i:to], operator) {
			parts = append(parts, span{from: begin, to: i})
			begin = i + len(operator)
		}
	})
	return append(parts, span{from: begin, to: to})
}

// bracketed are the insides of the outermost brackets.
func bracketed(expression string, from, to int) (insides []span) {
	begin := from
	scan(expression, from, to, func(i, depth int) {
		switch c := expression[i]; {
		case strings.IndexByte("([{", c) >= 0 && depth == 1:
			begin = i + 1
		case strings.IndexByte(")]}", c) >= 0 && depth == 0:
			insides = append(insides, span{from: begin, to: i})
		}
	})
	return insides
}

// scan visits what is not quoted, with the number of brackets that are open after it.
func scan(expression string, from, to int, visit func(i, depth int)) {
	depth, quote := 0, byte(0)
	for i := from; i < to; i++ {
		c := expression[i]
		switch {
		case quote != 0 && c == '\\':
			i++
			continue
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == '\'' || c == '"':
			quote = c
			continue
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		visit(i, depth)
	}
}
