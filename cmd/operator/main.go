// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command operator reconciles ChatTenants. It is wiring only; see controllers/tenant for what it does.
package main

import (
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		logf.Log.Error(err, "Operator ended")
		os.Exit(1)
	}
}
