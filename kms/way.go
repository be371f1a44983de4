// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !kmsdouble

package main

import "github.com/chattenant/chattenant/kms/internal/network"

// way is the machine's network.
func way() network.Way { return network.Way{} }
