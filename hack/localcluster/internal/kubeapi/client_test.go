// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kubeapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return NewPlain(server.URL, server.Client())
}

func TestAnErrorCarriesTheServersExplanation(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"kind":"Status","message":"not yours"}`)
	})
	err := client.Get(t.Context(), "/api/v1/nodes", nil)
	if err == nil || err.Error() != "403: not yours" || IsNotFound(err) {
		t.Errorf("error is %v", err)
	}
}

func TestDeletingWhatIsGoneIsNoError(t *testing.T) {
	client := serve(t, http.NotFound)
	if err := client.Delete(t.Context(), "/api/v1/persistentvolumes/gone"); err != nil {
		t.Error(err)
	}
	if err := client.Get(t.Context(), "/api/v1/persistentvolumes/gone", nil); !IsNotFound(err) {
		t.Errorf("error is %v", err)
	}
}

func TestAWatchReportsEveryEventUntilTheServerEndsIt(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, strings.Repeat(`{"type":"ADDED","object":{}}`+"\n", 3))
	})
	events := 0
	if err := client.Watch(t.Context(), "/?watch=1", func() { events++ }); err != nil || events != 3 {
		t.Errorf("%d events, %v", events, err)
	}
}

func TestAWatchThatIsCutOffIsAnError(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"type":"ADD`) })
	if err := client.Watch(t.Context(), "/?watch=1", func() {}); err == nil {
		t.Error("half an event is none")
	}
}
