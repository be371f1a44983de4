// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chattenant/chattenant/api/trust"
)

// Feed elements, as RFC 4287 has them.
type (
	feed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"id"`
		Title   string   `xml:"title"`
		Updated string   `xml:"updated"`
		Author  author   `xml:"author"`
		Links   []link   `xml:"link"`
		Entries []entry  `xml:"entry"`
	}
	author struct {
		Name string `xml:"name"`
	}
	link struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	}
	entry struct {
		ID      string `xml:"id"`
		Title   string `xml:"title"`
		Updated string `xml:"updated"`
		Link    link   `xml:"link"`
		Summary string `xml:"summary"`

		at time.Time
	}
)

// atom tells of every recipient's latest change, the newest first. An entry's id names recipient and state, so that a
// reader shows each change once.
func atom(d *trust.Document, origin string) ([]byte, error) {
	document := link{"alternate", "application/json", origin + DocumentPath}
	f := feed{
		ID: origin + FeedPath, Title: "Sub-processors of " + d.Controller.Name, Author: author{d.Controller.Name},
		Links: []link{{"self", "application/atom+xml", origin + FeedPath}, document},
	}
	for i := range d.SubProcessors {
		f.Entries = append(f.Entries, entryOf(&d.SubProcessors[i], document))
	}
	slices.SortStableFunc(f.Entries, func(a, b entry) int { return b.at.Compare(a.at) })
	f.Updated = stamp(updated(d, f.Entries))
	data, err := xml.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode feed: %w", err)
	}
	return append([]byte(xml.Header), append(data, '\n')...), nil
}

// updated is when the newest entry changed. Without any it is when something was first known of the tenant.
func updated(d *trust.Document, newestFirst []entry) time.Time {
	if len(newestFirst) > 0 {
		return newestFirst[0].at
	}
	first := time.Time{}
	for _, p := range d.Proofs {
		if first.IsZero() || p.Since.Before(first) {
			first = p.Since
		}
	}
	return first
}

func entryOf(s *trust.SubProcessor, document link) entry {
	at := changed(s)
	return entry{
		ID:    document.Href + "#" + s.Name + "/" + strings.ToLower(string(s.State)),
		Title: title(s), Updated: stamp(at), Link: document, Summary: summary(s), at: at,
	}
}

// changed is when a recipient became what it is: from since or until, and before it got anything from the notice.
func changed(s *trust.SubProcessor) time.Time {
	switch {
	case s.Until != nil:
		return *s.Until
	case s.Since != nil:
		return *s.Since
	case s.Record != nil:
		// A day that is none comes from no operator; its entry is then the oldest.
		noticed, _ := time.Parse(time.DateOnly, s.Record.NoticedAt)
		return noticed
	}
	return time.Time{}
}

func title(s *trust.SubProcessor) string {
	name := s.Name
	if s.Record != nil {
		name = s.Record.LegalName
	}
	switch s.State {
	case trust.Effective:
		return name + " processes data"
	case trust.Pending:
		if s.ExpectedFrom != "" {
			return name + " will process data from " + s.ExpectedFrom
		}
		return name + " is to process data"
	case trust.Objected:
		return name + " gets no data: objected"
	case trust.Retired:
		return name + " processes data no longer"
	}
	return name + ": " + string(s.State)
}

func summary(s *trust.SubProcessor) string {
	if s.Record == nil {
		return "Its record was removed."
	}
	return fmt.Sprintf("%s Data: %s. Places: %s.", sentence(s.Record.Purpose),
		strings.Join(s.Record.DataCategories, ", "), strings.Join(s.Record.Locations, ", "))
}

func sentence(text string) string { return strings.TrimRight(text, ". ") + "." }

func stamp(at time.Time) string {
	return cmp.Or(at, time.Unix(0, 0)).UTC().Format(time.RFC3339)
}
