// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package policy holds the rules that decide, as data: each is a function of facts that were gathered beforehand, and
// a chain is a commented list of rules. Rules read nothing and write nothing.
package policy

import (
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Input holds the facts that rules decide on. A nil pointer means that the object does not exist.
type Input struct {
	// Tenant is never nil.
	Tenant *v1alpha1.ChatTenant
	Class  *v1alpha1.ChatTenantClass
	Region *v1alpha1.DataRegion
	// RuntimeClass is the one that the class names, if it names one.
	RuntimeClass *nodev1.RuntimeClass
	// Claimants are the tenants that ask for the same host, this one among them.
	Claimants []v1alpha1.ChatTenant
	// Records are the SubProcessors that concern the tenant, by name: those that it uses, that its region's backup store
	// names, their chains of parents, and those that these engage. Recipients is what was decided about them.
	Records    map[string]*v1alpha1.SubProcessor
	Recipients Recipients
	// Namespace is the one that bears the tenant's namespace name, whoever made it.
	Namespace *corev1.Namespace
}

// Rule answers whether its rule is violated, and then with a reason and a message that says what to do.
type Rule func(Input) (reason, message string, violated bool)

// Violation is the first rule of a chain that does not hold.
type Violation struct {
	Reason, Message string
}

// FirstViolation evaluates a chain in order. Nil means that every rule holds.
func FirstViolation(rules []Rule, in Input) *Violation {
	for _, rule := range rules {
		if reason, message, violated := rule(in); violated {
			return &Violation{Reason: reason, Message: message}
		}
	}
	return nil
}

// Prerequisites must hold before anything is created for a tenant, and while it is changed. A tenant that already
// runs keeps running when one ceases to hold: nothing is torn down by a rule.
var Prerequisites = []Rule{
	// Without its class or region nothing about the tenant is known.
	classExists,
	regionExists,
	// The API server refuses every pod that names a RuntimeClass which does not exist.
	runtimeClassExists,
	// Data must not touch a place that its owner excluded.
	regionWithinResidency,
	backupStoreWithinResidency,
	recipientsWithinResidency,
	// Recipients are reached through the egress gateway or not at all.
	egressImageKnown,
	// Two tenants must never answer under one name.
	hostIsFree,
	// What someone else made is never taken over, what an earlier tenant left only on its owner's word.
	namespaceIsOurs,
	namespaceIsAdopted,
	adoptionHasTarget,
	adoptionStaysInRegion,
	// A namespace on its way out takes everything in it along.
	namespaceIsStable,
}
