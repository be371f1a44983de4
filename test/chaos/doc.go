// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package chaos shows that a chat server loses nothing it acknowledged, whatever fails around it. Visitors and agents
// talk through replicas that are killed, drained, hung and cut off, some of them behind proxies that block WebSockets
// and fail themselves, on a PostgreSQL that crashes, hangs and refuses, is restored from a backup or gives way to its
// standby, while keys are replaced; an oracle compares what was acknowledged, what each reader was shown and what the
// database holds. Its tests are behind the build tag chaos, because a run takes minutes:
//
//	go test -tags chaos -v -run Chaos ./test/chaos -chaos.seed=1 -chaos.duration=60s -chaos.faults=20
//
// Faults are planned from the seed, their number and the duration alone, and happen in that order however slow the
// machine is. What the programs make of them is theirs. PostgreSQL 15 must be installed; everything else is built, and
// everything started is ended. With -artifacts and -outputdir the programs' logs are kept; with -chaos.race, which
// needs cgo, a data race in a chat server is a crash.
//
// PostgreSQL's disk is filled only where the test may mount one of its own, as root can. Elsewhere that fault is not
// among those planned, so a seed's plan is another.
//
// A clock that jumps is not among the faults: Go programs read the time without a system call, so on one machine it
// cannot be moved for a single process.
package chaos
