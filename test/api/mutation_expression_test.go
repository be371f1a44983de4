// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"regexp"
	"strings"
)

// leftOut are an expression's changes: operands, elements of lists, lists of sums, conditions of choices, parts of
// patterns.
func leftOut(expression string) (all []replacement) {
	for _, change := range []func(string) []replacement{
		operandsLeftOut, elementsLeftOut, summandsLeftOut, choicesMade, patternsWidened,
	} {
		all = append(all, change(expression)...)
	}
	return all
}

// nothingInstead puts what says nothing in a variable's place, as far as its expression tells its kind.
func nothingInstead(expression string) (all []replacement) {
	if strings.Contains(expression, " ? ") {
		return nil
	}
	for _, kind := range []struct{ pattern, nothing string }{
		{`orValue\(''\)$`, `''`}, {`orValue\(\{\}\)$`, `{}`}, {`orValue\(\[\]\)$`, `[]`}, {`^\[`, `[]`},
		{`[.](filter|map)\([^()]*(\([^()]*(\([^()]*\)[^()]*)*\)[^()]*)*\)$`, `[]`},
		{`(==|!=|allowed\(\)$)`, `true`}, {`(==|!=|allowed\(\)$)`, `false`},
	} {
		if regexp.MustCompile(kind.pattern).MatchString(strings.TrimSpace(expression)) {
			all = append(all, replacement{"is " + kind.nothing, kind.nothing})
		}
	}
	return all
}

// country is an element of a list that another test compares with the operator's own.
var country = regexp.MustCompile(`^'[A-Z]{2}'$`)

// elementsLeftOut leaves each element of a list out, of those with several.
func elementsLeftOut(expression string) (all []replacement) {
	scan(expression, 0, len(expression), func(i, _ int) {
		if expression[i] != '[' {
			return
		}
		end := closing(expression, i)
		parts := splitAt(expression, i+1, end, ",")
		for j, part := range parts {
			what := strings.TrimSpace(expression[part.from:part.to])
			if len(parts) < 2 || country.MatchString(what) {
				continue
			}
			from, to := part.from, part.to
			if j == 0 {
				to++
			} else {
				from--
			}
			all = append(all, replacement{"without " + what + " in its list", expression[:from] + expression[to:]})
		}
	})
	return all
}

// listed is what a sum of lists is made of, as far as the policies have any.
var listed = regexp.MustCompile(`^\s*(variables[.]\w+[.]filter\(|variables[.]\w+\s*$|\[)`)

// summandsLeftOut leaves each list out of a sum of several.
func summandsLeftOut(expression string) (all []replacement) {
	parts := splitAt(expression, 0, len(expression), "+")
	for _, part := range parts {
		what := expression[part.from:part.to]
		if len(parts) > 1 && listed.MatchString(what) {
			all = append(all, replacement{"without " + strings.TrimSpace(what) + " in its sum",
				expression[:part.from] + " [] " + expression[part.to:]})
		}
	}
	return all
}

// closing is where the bracket at a place is closed.
func closing(expression string, at int) int {
	end := len(expression)
	scan(expression, at, len(expression), func(i, depth int) {
		if depth == 0 && i < end {
			end = i
		}
	})
	return end
}

// choicesMade let each condition of X ? A : B be true, and false.
func choicesMade(expression string) (all []replacement) {
	for _, inside := range append(everyBracket(expression), span{from: 0, to: len(expression)}) {
		parts := splitAt(expression, inside.from, inside.to, " ? ")
		for _, part := range parts[:len(parts)-1] {
			alternatives := splitAt(expression, part.from, part.to, " : ")
			condition := alternatives[len(alternatives)-1]
			arguments := splitAt(expression, condition.from, condition.to, ",")
			condition = arguments[len(arguments)-1]
			for _, value := range []string{" true", " false"} {
				all = append(all, replacement{
					"with" + value + " for " + strings.TrimSpace(expression[condition.from:condition.to]),
					expression[:condition.from] + value + expression[condition.to:],
				})
			}
		}
	}
	return all
}

func everyBracket(expression string) (insides []span) {
	scan(expression, 0, len(expression), func(i, _ int) {
		if strings.IndexByte("([{", expression[i]) >= 0 {
			insides = append(insides, span{from: i + 1, to: closing(expression, i)})
		}
	})
	return insides
}

// opening is where the bracket that ends at a place begins; what is none begins there.
func opening(pattern string, at int) int {
	for depth := 0; at >= 0; at-- {
		switch pattern[at] {
		case ')':
			depth++
		case '(':
			depth--
		}
		if depth == 0 {
			return at
		}
	}
	return 0
}

var (
	alternative = regexp.MustCompile(`[(|'][a-zA-Z0-9:-]+[|)']`)
	optional    = regexp.MustCompile(`[/)]\?`)
	anchor      = regexp.MustCompile(`'\^|\$'`)
)

// patternsWidened leaves out what a regular expression names: an alternative, something optional, an end.
func patternsWidened(expression string) (all []replacement) {
	if !strings.Contains(expression, "matches(") {
		return nil
	}
	for _, part := range patternParts(expression) {
		all = append(all, replacement{
			"without " + expression[part.from:part.to] + " in its pattern",
			expression[:part.from] + part.neutral + expression[part.to:],
		})
	}
	return all
}

func patternParts(expression string) (parts []span) {
	for at := 0; ; {
		found := alternative.FindStringIndex(expression[at:])
		if found == nil {
			break
		}
		from, to := at+found[0]+1, at+found[1]-1
		if expression[from-1] == '|' || expression[to] == '|' {
			parts = append(parts, span{from, to, "left-out"})
		}
		at = to
	}
	for _, found := range optional.FindAllStringIndex(expression, -1) {
		parts = append(parts, span{from: opening(expression, found[0]), to: found[1]})
	}
	for _, found := range anchor.FindAllStringIndex(expression, -1) {
		if expression[found[0]] == '$' {
			parts = append(parts, span{from: found[0], to: found[0] + 1})
		} else {
			parts = append(parts, span{from: found[0] + 1, to: found[1]})
		}
	}
	return parts
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
