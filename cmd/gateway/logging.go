// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// withLogging makes every library write JSON lines to standard error and puts the logger into the context.
func withLogging(ctx context.Context, level slog.Level) context.Context {
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	slog.SetDefault(slog.New(handler)) // also takes what libraries print through package log
	logger := logr.FromSlogHandler(handler)
	klog.SetLogger(logger)
	log.SetLogger(logger)
	return logr.NewContext(ctx, logger)
}
