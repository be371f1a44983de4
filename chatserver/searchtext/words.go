// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package searchtext brings what people wrote into the forms in which it is compared when somebody searches: words of
// messages, e-mail addresses, phone numbers and ids. Two texts that people take for the same have the same form; the
// forms themselves are shown to nobody.
package searchtext

import (
	"iter"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

const (
	// shortest is the fewest characters of a word that can be searched for.
	shortest = 2
	// longest is how many characters tell long words apart.
	longest = 64
)

// Word is a word of a text in the form in which words are compared, and where it stands in the text, in bytes.
type Word struct {
	redacted.String
	Start, End int
}

// Words yields the words of a text in their order. Boundaries are those of Unicode's annex 29; scripts that are written
// without spaces yield every pair of neighbouring characters instead, because their words cannot be told apart without
// a dictionary. Words of one character are left out.
func Words(text redacted.String) iter.Seq[Word] {
	return func(yield func(Word) bool) {
		s := splitter{yield: yield, fold: newFolder()}
		segments := words.FromString(text.Reveal())
		for segments.Next() && !s.stopped {
			s.segment(segments.Value(), segments.Start(), segments.End())
		}
		s.endRun()
	}
}

// splitter takes the segments of a text apart.
type splitter struct {
	yield   func(Word) bool
	stopped bool
	fold    *folder

	// word is the word being read, of a script with spaces.
	word []rune
	// run is the passage being read, of a script without.
	run []placed
}

// placed is a character of the folded text and the segment it comes from.
type placed struct {
	r          rune
	start, end int
}

// segment reads one segment. Folding may show more than one word in it, or none.
func (s *splitter) segment(text string, start, end int) {
	for _, r := range s.fold.fold(text) {
		switch {
		case unspaced(r):
			s.endWord(start, end)
			s.run = append(s.run, placed{r, start, end})
		case s.continues(r):
			s.endRun()
			s.word = append(s.word, r)
		case isApostrophe(r):
		default:
			s.endRun()
			s.endWord(start, end)
		}
	}
	s.endWord(start, end)
}

// continues tells whether r belongs to the word being read. Numbers keep their points and commas.
func (s *splitter) continues(r rune) bool {
	if r == '.' || r == ',' {
		return len(s.word) > 0 && unicode.IsDigit(s.word[len(s.word)-1])
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' }

// unspacedScripts are written without spaces between words, or with particles that stick to them.
var unspacedScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer,
	unicode.Myanmar,
}

// prolonged is the mark of long Japanese vowels, which belongs to no script.
const prolonged = 'ー'

func unspaced(r rune) bool {
	return r >= utf8.RuneSelf && (r == prolonged || unicode.IsOneOf(unspacedScripts, r))
}

func (s *splitter) endWord(start, end int) {
	if len(s.word) >= shortest {
		s.emit(s.word, start, end)
	}
	s.word = s.word[:0]
}

// endRun emits the pairs of a passage. A character between others is part of two; one alone stands for itself.
func (s *splitter) endRun() {
	if len(s.run) == 1 {
		s.emit([]rune{s.run[0].r}, s.run[0].start, s.run[0].end)
	}
	for i := 1; i < len(s.run); i++ {
		s.emit([]rune{s.run[i-1].r, s.run[i].r}, s.run[i-1].start, s.run[i].end)
	}
	s.run = s.run[:0]
}

func (s *splitter) emit(word []rune, start, end int) {
	if s.stopped {
		return
	}
	form := redacted.New(string(word[:min(len(word), longest)]))
	s.stopped = !s.yield(Word{String: form, Start: start, End: end})
}
