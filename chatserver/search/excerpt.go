// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/searchtext"
)

const (
	// before and after are how many characters around a found word are shown.
	before = 50
	after  = 110
	// slack is how many of them may go so that no word is cut.
	slack = 20
)

const ellipsis = "…"

// excerpt is the part of a text around a word, on one line.
func excerpt(text redacted.String, word searchtext.Word) redacted.String {
	whole := text.Reveal()
	head, tail := whole[:word.Start], whole[word.Start:]
	start, end := lastRunes(head, before), firstRunes(tail, after)
	prefix, suffix := "", ""
	if start > 0 {
		prefix, head = ellipsis, head[start:]
		if i := strings.IndexFunc(head, unicode.IsSpace); i >= 0 && utf8.RuneCountInString(head[:i]) < slack {
			head = head[i:]
		}
	}
	if end < len(tail) {
		suffix, tail = ellipsis, tail[:end]
		// The word itself is not given up.
		i := strings.LastIndexFunc(tail, unicode.IsSpace)
		if i >= word.End-word.Start && utf8.RuneCountInString(tail[i:]) < slack {
			tail = tail[:i]
		}
	}
	return redacted.New(prefix + strings.Join(strings.Fields(head+tail), " ") + suffix)
}

// lastRunes is where the last n characters of s begin.
func lastRunes(s string, n int) int {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return i
}

// firstRunes is where the first n characters of s end.
func firstRunes(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}
