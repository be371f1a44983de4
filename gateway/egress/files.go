// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// PollInterval is how long a changed file may go unnoticed. Reading four small files costs less than watching folders
// in which kubelet swaps symbolic links, and misses nothing.
const PollInterval = time.Second

// Values of the label that says which files are meant.
const (
	fileConfiguration = "configuration"
	fileCredentials   = "credentials"
)

// Files keeps a server to what its files say.
type Files struct {
	Server *Server
	// ConfigFile holds an egressconfig.EgressConfiguration.
	ConfigFile  string
	Credentials *Credentials
	Metrics     *Metrics
	Clock       clock.WithTicker
	Log         logr.Logger

	content []byte
	// failures are the last errors, so that each is logged once.
	failures map[string]string
}

// Load reads the configuration for the first time: a gateway that does not know what is declared must not start.
func (f *Files) Load() error {
	f.failures = map[string]string{}
	f.Metrics.usable(fileCredentials, true)
	err := f.reloadConfig()
	f.note(fileConfiguration, err)
	return err
}

// Run looks for changes every [PollInterval] until ctx ends. What cannot be used leaves in force what was there before.
func (f *Files) Run(ctx context.Context) {
	ticker := f.Clock.NewTicker(PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		err := f.reloadConfig()
		f.note(fileConfiguration, err)
		changed, err := f.Credentials.reload()
		f.note(fileCredentials, err)
		if changed {
			f.Log.Info("credentials reloaded")
		}
	}
}

func (f *Files) reloadConfig() error {
	content, err := os.ReadFile(filepath.Clean(f.ConfigFile))
	if err != nil {
		return fmt.Errorf("read egress configuration: %w", err)
	}
	if f.content != nil && bytes.Equal(content, f.content) {
		return nil
	}
	config, err := egressconfig.Parse(content)
	if err != nil {
		return err
	}
	digest, err := config.Digest()
	if err != nil {
		return err
	}
	f.Server.Apply(config)
	f.Metrics.configured(digest)
	f.content = content
	return nil
}

// note tells metrics of every attempt and the log of every change.
func (f *Files) note(file string, err error) {
	f.Metrics.usable(file, err == nil)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == f.failures[file] {
		return
	}
	f.failures[file] = text
	if err != nil {
		f.Log.Error(err, "file unusable, what was there before stays in force", "file", file)
		return
	}
	f.Log.Info("file usable again", "file", file)
}
