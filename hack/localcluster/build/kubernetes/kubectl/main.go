// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command kubectl is the Kubernetes client, apart from the components so that it starts quickly.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		cmdutil.CheckErr(err)
	}
}
