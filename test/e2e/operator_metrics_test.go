// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// metricsPort is where the operator serves its metrics, to callers that may read them.
const metricsPort = "8443"

// metricsReader reads the operator's metrics with an account that may.
type metricsReader struct {
	token string
}

func newMetricsReader(t *testing.T) metricsReader {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: object(corev1.NamespaceDefault, "metrics")}
	role := &rbacv1.ClusterRole{
		ObjectMeta: object("", "metrics"),
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	grant := &rbacv1.ClusterRoleBinding{
		ObjectMeta: object("", "metrics"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
	}
	for _, o := range []client.Object{account, role, grant} {
		temporarily(t, o)
	}
	request := &authenticationv1.TokenRequest{}
	if err := live.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatalf("ask for a token: %v", err)
	}
	return metricsReader{token: request.Status.Token}
}

// reconciles counts the passes that the operator's present process has made over tenants.
func (r metricsReader) reconciles(t *testing.T) (int, error) {
	t.Helper()
	pod := operatorPods(t)[0]
	node := insideNode(t, pod.Spec.NodeName)
	transport := &http.Transport{
		DialContext:     node.DialContext,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // The operator signs its certificate itself.
	}
	defer transport.CloseIdleConnections()
	address := "https://" + net.JoinHostPort(pod.Status.PodIP, metricsPort) + "/metrics"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("read metrics: %s: %w", response.Status, err)
	}
	return sumOf(string(text), `controller_runtime_reconcile_total{controller="chattenant"`)
}

// sumOf adds the values of all series that begin so.
func sumOf(metrics, series string) (int, error) {
	total, found := 0.0, false
	for l := range strings.Lines(metrics) {
		if !strings.HasPrefix(l, series) {
			continue
		}
		fields := strings.Fields(l)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w", l, err)
		}
		total, found = total+value, true
	}
	if !found {
		return 0, fmt.Errorf("there is no series %s", series)
	}
	return int(total), nil
}
