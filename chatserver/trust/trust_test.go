// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/trust"
)

var update = flag.Bool("update", false, "write golden files")

const patience = 30 * time.Second

func day(d int) time.Time { return time.Date(2026, 11, d, 9, 30, 0, 0, time.UTC) }

func record(name string) *trust.Record {
	return &trust.Record{
		Organisation: trust.Organisation{LegalName: name, Address: "Berlin, Germany", Contact: "privacy@mail.example"},
		Purpose:      "Sends <b>notifications</b> & reminders.", DataCategories: []string{"AccountEmail", "Aggregate"},
		Locations: []string{"DE", "FR"}, TransferGround: "None", NoticedAt: "2026-10-01", EffectiveFrom: "2026-11-01",
	}
}

func document() *trust.Document {
	since, until := day(1), day(20)
	return &trust.Document{
		Schema: SchemaPath, Version: trust.Version, Tenant: "acme",
		Controller: trust.Controller{Name: "Acme & Sons", PrivacyPolicy: "https://www.acme.example/privacy"},
		Region:     trust.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
		Encryption: trust.Encryption{KeyProvider: "Secret"},
		SubProcessors: []trust.SubProcessor{
			{Name: "mail", State: trust.Effective, Since: &since, Record: record("Mail GmbH")},
			{Name: "crm", State: trust.Pending, ExpectedFrom: "2026-12-01", Record: record("CRM SARL")},
			{Name: "later", State: trust.Pending, Record: record("Later SE")},
			{Name: "no", State: trust.Objected, Record: record("Unwanted Inc")},
			{Name: "gone", State: trust.Retired, Since: &since, Until: &until},
		},
		Proofs: []trust.Proof{{Name: "PlacementVerified", Holds: "True", Reason: "InRegion", Since: day(2)}},
	}
}

// publisher runs one on a file that does not exist yet.
func publisher(t *testing.T) (p *Publisher, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), trust.FileName)
	p = NewPublisher(file, "chat.acme.example", clock.RealClock{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx, 10*time.Millisecond) }()
	t.Cleanup(func() { cancel(); <-done })
	return p, file
}

// replace puts a file in place at once, as a kubelet does.
func replace(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, d *trust.Document) []byte {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func get(p *Publisher, path, tag string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func awaitBody(t *testing.T, p *Publisher, want string) *httptest.ResponseRecorder {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		w := get(p, DocumentPath, "")
		if w.Code == http.StatusOK && w.Body.String() == want {
			return w
		}
		if time.Now().After(deadline) {
			t.Fatalf("still served: %d %s", w.Code, w.Body)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestANewDocumentIsPublishedAsTheOperatorWroteIt(t *testing.T) {
	p, file := publisher(t)
	if w := get(p, DocumentPath, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before there is a document: %d %v", w.Code, w.Header())
	}
	first, second := document(), document()
	second.Tenant = "acme-2"
	for _, d := range []*trust.Document{first, second} {
		data := encode(t, d)
		replace(t, file, data)
		w := awaitBody(t, p, string(data))
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("content type is %s", got)
		}
		again := get(p, DocumentPath, w.Header().Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("asked for again: %d with %d bytes", again.Code, again.Body.Len())
		}
	}
}

func TestWhatIsNoDocumentLeavesTheOldOnePublished(t *testing.T) {
	p, file := publisher(t)
	good := encode(t, document())
	replace(t, file, good)
	awaitBody(t, p, string(good))
	for _, bad := range []string{"", "{", `{"version":9}`, strings.Repeat(" ", maxDocument+1)} {
		replace(t, file, []byte(bad))
		if err := p.reloadNow(t); err == nil {
			t.Errorf("%.20q was taken for a document", bad)
		}
		awaitBody(t, p, string(good))
	}
}

// reloadNow is a round of another publisher of the same file, whose error can be seen.
func (p *Publisher) reloadNow(t *testing.T) error {
	t.Helper()
	return NewPublisher(p.file, "chat.acme.example", p.clock, p.log).reload()
}

func TestTheSchemaIsPublishedBesideTheDocument(t *testing.T) {
	p, _ := publisher(t)
	w := get(p, SchemaPath, "")
	if w.Code != http.StatusOK || w.Body.String() != string(trust.Schema) ||
		w.Header().Get("Content-Type") != "application/schema+json" {
		t.Errorf("answered %d %v", w.Code, w.Header())
	}
}

func TestTheFeedTellsOfEveryRecipientNewestFirst(t *testing.T) {
	got, err := atom(document(), "https://chat.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "feed.xml")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("feed differs, -update writes it (-want +got):\n%s", diff)
	}
}

func TestAFeedWithoutRecipientsIsStillAFeed(t *testing.T) {
	d := document()
	d.SubProcessors = nil
	data, err := atom(d, "https://chat.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	var got feed
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Updated != "2026-11-02T09:30:00Z" || got.ID == "" || got.Title != "Sub-processors of Acme & Sons" {
		t.Errorf("the feed says %+v", got)
	}
}
