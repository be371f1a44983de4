// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package apiserver starts a real kube-apiserver and etcd for the tests of one package.
package apiserver

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Patience is for machines that do other things besides; nothing here takes a tenth of it on an idle one.
const Patience = 3 * time.Minute

// attempts are how often a server is started anew: of one that comes up slowly, envtest waits five seconds for its
// first namespace and no longer.
const attempts = 3

// Start answers how the server is reached with all rights, and what ends it. The directories hold the definitions that
// it serves; assets is that of etcd and kube-apiserver, KUBEBUILDER_ASSETS where it is empty.
func Start(assets string, definitions ...string) (config *rest.Config, stop func() error, err error) {
	for range attempts {
		environment := &envtest.Environment{
			BinaryAssetsDirectory: assets, CRDDirectoryPaths: definitions, ErrorIfCRDPathMissing: true,
			ControlPlaneStartTimeout: Patience, ControlPlaneStopTimeout: Patience,
			CRDInstallOptions: envtest.CRDInstallOptions{MaxTime: Patience},
		}
		config, startErr := environment.Start()
		if startErr == nil {
			return config, environment.Stop, nil
		}
		err = errors.Join(err, startErr, environment.Stop())
	}
	return nil, nil, fmt.Errorf("start API server (KUBEBUILDER_ASSETS names the directory of its programs): %w", err)
}
