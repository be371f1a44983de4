// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The API server hears of policies, of their parameters and of rights by watching, and takes policies up once a second.
// What is here waits until it has, so that no test begins in between.

const markerPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: zz-marker}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [""]
      apiVersions: ["*"]
      operations: [CREATE]
      resources: [configmaps]
      resourceNames: [admission-marker]
  validations:
  - {expression: "false", message: TEXT}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: zz-marker}
spec: {policyName: zz-marker, validationActions: [Deny]}
`

// marked counts the markers.
var marked int

// takenUp changes another policy, and waits until that speaks: then whatever was changed before it is in force too.
func takenUp(ctx context.Context) error {
	c, err := impersonate("")
	if err != nil {
		return err
	}
	marked++
	text := fmt.Sprintf("marker %d", marked)
	objects, err := decode([]byte(strings.ReplaceAll(markerPolicy, "TEXT", text)))
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("marker")); err != nil {
			return fmt.Errorf("apply %s: %w", text, err)
		}
	}
	marker := newObject("v1", "ConfigMap", "admission-marker")
	marker.SetNamespace("default")
	return pollFor(ctx, patience, func(ctx context.Context) (bool, error) {
		err := creation(marker)(ctx, c)
		return err != nil && strings.HasSuffix(err.Error(), text), nil
	})
}

// inForce waits until every policy is in force, and knows its kind of parameter.
func inForce(ctx context.Context) error {
	if err := takenUp(ctx); err != nil {
		return fmt.Errorf("wait for the policies: %w", err)
	}
	c, err := impersonate(person, allRights)
	if err != nil {
		return err
	}
	if err := eventuallyAdmitted(ctx, c, creation(theTenant("first"))); err != nil {
		return fmt.Errorf("wait for the kinds of parameters: %w", err)
	}
	// A policy that could not be set up before its kind was served is set up anew with the others.
	return takenUp(ctx)
}

// eventuallyAdmitted tries until rights and parameters are known. What is wrong with an attempt in itself stays wrong.
func eventuallyAdmitted(ctx context.Context, c client.Client, try attempt) error {
	var last error
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		last = try(ctx, c)
		if last == nil || !notYet(last) {
			return true, last
		}
		return false, nil
	})
	if err != nil && last != nil {
		return last
	}
	return err
}

func notYet(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || strings.Contains(err.Error(), "failed to configure")
}

// waits is how long tests wait for what admission hears of.
var waits = patience

func poll(ctx context.Context, done wait.ConditionWithContextFunc) error {
	return pollFor(ctx, waits, done)
}

func pollFor(ctx context.Context, limit time.Duration, done wait.ConditionWithContextFunc) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, done)
}

// theTenant is a valid one of that name, with a host of its own, in no region that there is.
func theTenant(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"className": "standard", "displayName": name, "region": "nowhere",
		"endpoint": map[string]any{
			"host": name + ".probe.example", "allowedOrigins": []any{"https://www.probe.example"},
		},
		"privacy": map[string]any{"policyURL": "https://www.probe.example/privacy"},
	}}}
	o.SetAPIVersion("chattenant.io/v1alpha1")
	o.SetKind("ChatTenant")
	o.SetName(name)
	return o
}
