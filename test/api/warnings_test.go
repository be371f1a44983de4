// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// warningLog keeps what the API server warns of.
type warningLog struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (l *warningLog) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, text)
}

// listening is a client of a user, with all rights, whose warnings are kept.
func listening(t *testing.T, user string) (c client.Client, heard func() []string) {
	t.Helper()
	log := &warningLog{}
	config := unlimited(admin)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{allRights}}
	config.WarningHandlerWithContext = log
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() []string {
		log.mu.Lock()
		defer log.mu.Unlock()
		return log.texts
	}
}
