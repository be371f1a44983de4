// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package searchtext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/searchtext"
)

func wordsOf(text string) []string {
	var out []string
	for word := range searchtext.Words(redacted.New(text)) {
		out = append(out, word.Reveal())
	}
	return out
}

func TestWordsHaveTheFormInWhichTheyAreCompared(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"case and punctuation":             {"Hello, World!", []string{"hello", "world"}},
		"single letters are dropped":       {"I am a b", []string{"am"}},
		"sharp s":                          {"Straße STRASSE straẞe", []string{"strasse", "strasse", "strasse"}},
		"dotted and dotless i":             {"İstanbul ISTANBUL ıstanbul", []string{"istanbul", "istanbul", "istanbul"}},
		"ligatures":                        {"ﬁnance stuﬀ", []string{"finance", "stuff"}},
		"accents":                          {"Crème BRÛLÉE cre\u0300me", []string{"creme", "brulee", "creme"}},
		"letters with strokes":             {"Łódź Ærø Đorđe", []string{"lodz", "aero", "dorde"}},
		"final sigma":                      {"ΟΔΟΣ οδος οδός", []string{"οδοσ", "οδοσ", "οδοσ"}},
		"cyrillic":                         {"Ёлка ЕЛКА", []string{"елка", "елка"}},
		"arabic vowels, hamza and tatweel": {"مُحَمَّد محمـــد أحمد احمد", []string{"محمد", "محمد", "احمد", "احمد"}},
		"hebrew points":                    {"שָׁלוֹם שלום", []string{"שלום", "שלום"}},
		"hindi keeps its vowels":           {"कुल कल", []string{"कुल", "कल"}},
		"chinese pairs":                    {"我爱北京。", []string{"我爱", "爱北", "北京"}},
		"chinese alone":                    {"水 and", []string{"水", "and"}},
		"japanese keeps voicing":           {"ガラス ｶﾞﾗｽ", []string{"ガラ", "ラス", "ガラ", "ラス"}},
		"japanese long vowels":             {"サーバー", []string{"サー", "ーバ", "バー"}},
		"mixed scripts":                    {"Tシャツ", []string{"シャ", "ャツ"}},
		"korean pairs":                     {"사과를", []string{"사과", "과를"}},
		"thai pairs":                       {"กขค", []string{"กข", "ขค"}},
		"emoji are no words":               {"thanks 👩‍👩‍👧 👍🏽 🇩🇪", []string{"thanks"}},
		"digits of other scripts":          {"٤٢ ４２ 42 𝟒𝟐", []string{"42", "42", "42", "42"}},
		"numbers":                          {"1,299.00 v1.2.3 4711-0815", []string{"1,299.00", "v1.2.3", "4711", "0815"}},
		"addresses come apart":             {"ada@mail.example.org", []string{"ada", "mail", "example", "org"}},
		"apostrophes":                      {"don't l’été O'Neil", []string{"dont", "lete", "oneil"}},
		"full width":                       {"ＡＢＣ", []string{"abc"}},
		"soft hyphen and joiner":           {"Donau\u00addampf می\u200cخواهم", []string{"donaudampf", "میخواهم"}},
		"nothing":                          {" \n\t!? ", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wordsOf(tt.text)); diff != "" {
				t.Errorf("words of %q (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestLongWordsAreToldApartByTheirBeginning(t *testing.T) {
	got := wordsOf(strings.Repeat("x", 5000))
	if len(got) != 1 || utf8.RuneCountInString(got[0]) != 64 {
		t.Errorf("%d words, the first of %d characters", len(got), len(got[0]))
	}
}

func TestWordsSayWhereTheyStand(t *testing.T) {
	text := "Größe: 東京都, ok"
	for word := range searchtext.Words(redacted.New(text)) {
		place := text[word.Start:word.End]
		if got := wordsOf(place); len(got) != 1 || got[0] != word.Reveal() {
			t.Errorf("%q stands at %q", word.Reveal(), place)
		}
	}
}

func TestReadingWordsMayStopEarly(t *testing.T) {
	for range searchtext.Words(redacted.New("one two 東京都 three")) {
		break
	}
	n := 0
	for range searchtext.Words(redacted.New("東京都 one")) {
		if n++; n == 1 {
			break
		}
	}
	if n != 1 {
		t.Errorf("read %d words", n)
	}
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{"Straße", "ｶﾞﾗｽ", "مُحَمَّد", "1,2.3'", "\xff\xfe", "a\u0300\u0300"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for word := range searchtext.Words(redacted.New(text)) {
			form := word.Reveal()
			if word.Start < 0 || word.End > len(text) || word.Start >= word.End {
				t.Errorf("a word of %q stands at %d to %d of %d", text, word.Start, word.End, len(text))
			}
			if n := utf8.RuneCountInString(form); n == 0 || n > 64 {
				t.Errorf("a word of %d characters in %q", n, text)
			}
		}
	})
}

func TestContactsHaveTheFormInWhichTheyAreCompared(t *testing.T) {
	tests := map[string]struct {
		form func(redacted.String) redacted.String
		same []string
		not  string
	}{
		"e-mail": {searchtext.Email, []string{"ada@example.org", " Ada@EXAMPLE.org "}, "ada@example.com"},
		"international": {
			searchtext.Phone, []string{"+49 30 1234", "0049 (30) 12-34", "+49 (0)30 1234", "＋４９ ３０ １２３４"}, "030 1234",
		},
		"national":    {searchtext.Phone, []string{"030/1234", "(030) 12 34", "٠٣٠١٢٣٤"}, "+301234"},
		"external id": {searchtext.ExternalID, []string{"Caf\u00e9-7", "Cafe\u0301-7"}, "café-7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := tt.form(redacted.New(tt.same[0]))
			for _, spelling := range tt.same {
				if got := tt.form(redacted.New(spelling)); !got.Equal(want) {
					t.Errorf("%q becomes %q, %q becomes %q", spelling, got.Reveal(), tt.same[0], want.Reveal())
				}
			}
			if tt.form(redacted.New(tt.not)).Equal(want) {
				t.Errorf("%q is taken for %q", tt.not, tt.same[0])
			}
		})
	}
}
