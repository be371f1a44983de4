// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package searchtext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// folder makes spellings equal that people take for the same: case, accents, ligatures, widths, digits of other
// scripts. Not safe for concurrent use.
type folder struct{ chain transform.Transformer }

func newFolder() *folder { return &folder{} }

func (f *folder) fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	if f.chain == nil {
		f.chain = transform.Chain(
			norm.NFKD, runes.Remove(runes.Predicate(isDispensable)), cases.Fold(), norm.NFKC, runes.Map(plainDigit),
		)
	}
	folded, _, err := transform.String(f.chain, text)
	if err != nil {
		// None of these transformers fails; if one did, the text would stay as it is.
		return text
	}
	return letters.Replace(folded)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// letters have no decomposition though many type them without their stroke.
var letters = strings.NewReplacer(
	"æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ħ", "h", "ł", "l", "ŧ", "t", "ı", "i", "þ", "th",
)

// accented are the scripts whose marks may be left out: the readers of others would not recognise the word.
var accented = []*unicode.RangeTable{unicode.Inherited, unicode.Arabic, unicode.Hebrew}

// isDispensable finds accents, vowel points and characters that only steer the layout.
func isDispensable(r rune) bool {
	const voiced, semiVoiced, tatweel = '\u3099', '\u309a', '\u0640'
	switch r {
	case voiced, semiVoiced:
		// Part of a Japanese letter, no accent.
		return false
	case tatweel:
		return true
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) && unicode.IsOneOf(accented, r)
}

// plainDigit gives the ASCII digit of the same value. Unicode keeps the ten digits of a script together, from zero on.
func plainDigit(r rune) rune {
	const ten = 10
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return r
	}
	for _, block := range unicode.Nd.R16 {
		if r >= rune(block.Lo) && r <= rune(block.Hi) {
			return '0' + (r-rune(block.Lo))%ten
		}
	}
	for _, block := range unicode.Nd.R32 {
		if r >= rune(block.Lo) && r <= rune(block.Hi) { //nolint:gosec // A code point fits.
			return '0' + (r-rune(block.Lo))%ten //nolint:gosec // A code point fits.
		}
	}
	return r
}
