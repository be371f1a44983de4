// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package parts says what runs in each machine of the cluster, under which identity and with which configuration.
package parts

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/pki"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Users that RBAC grants rights to, beside those that Kubernetes knows by itself.
const (
	userKubeletClient = "kube-apiserver-kubelet-client"
	userNetpol        = "localcluster:netpol"
	userVolumes       = "localcluster:volumes"
)

// client is an identity with a kubeconfig.
type client struct {
	leaf pki.Leaf
	// server is where this client finds the API server.
	server string
}

// clients are all identities that connect to the API server; apiPort is the host's.
func clients(apiPort int) []client {
	local := url("127.0.0.1", topology.APIPort)
	remote := url(topology.ControlPlaneAddress, topology.APIPort)
	list := []client{
		{user("admin", "local-admin", "system:masters"), url("127.0.0.1", apiPort)},
		{user("controller-manager", "system:kube-controller-manager"), local},
		{user("scheduler", "system:kube-scheduler"), local},
		{user("volumes", userVolumes), local},
		{user("proxy", "system:kube-proxy"), remote},
		{user("netpol", userNetpol), remote},
	}
	for _, node := range topology.Nodes() {
		kubelet := user("kubelet-"+node.Name, "system:node:"+node.Name, "system:nodes")
		kubelet.DNS, kubelet.IPs = []string{node.Name}, []net.IP{net.ParseIP(node.Address())}
		list = append(list, client{kubelet, remote})
	}
	return list
}

func user(name, commonName string, groups ...string) pki.Leaf {
	return pki.Leaf{Name: name, CommonName: commonName, Organization: groups}
}

func url(host string, port int) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// apiServer is the API server's own certificate, valid for every way to reach it.
func apiServer() pki.Leaf {
	leaf := user("apiserver", "kube-apiserver")
	leaf.DNS = []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	for _, address := range []string{"127.0.0.1", topology.ControlPlaneAddress, topology.APIServiceAddress} {
		leaf.IPs = append(leaf.IPs, net.ParseIP(address))
	}
	return leaf
}

// WriteIdentities makes every key, certificate and kubeconfig; now is the clock.
func WriteIdentities(layout state.Layout, apiPort int, now func() time.Time) error {
	authority, err := pki.Open(layout.PKI(), "ca", now)
	if err != nil {
		return fmt.Errorf("opening the certificate authority: %w", err)
	}
	leaves := []pki.Leaf{apiServer(), user("apiserver-kubelet-client", userKubeletClient)}
	for _, c := range clients(apiPort) {
		leaves = append(leaves, c.leaf)
	}
	for _, leaf := range leaves {
		if err := authority.Issue(leaf); err != nil {
			return err
		}
	}
	for _, c := range clients(apiPort) {
		path := filepath.Join(layout.PKI(), c.leaf.Name+".kubeconfig")
		if c.leaf.Name == "admin" {
			path = layout.AdminKubeconfig()
		}
		if err := authority.WriteKubeconfig(path, c.leaf.Name, c.server); err != nil {
			return err
		}
	}
	return writeOtherAuthorities(layout, now)
}

// writeOtherAuthorities makes what must not share the cluster's authority: whoever the aggregation layer's authority
// certifies may name any user, and the outside is no part of the cluster.
func writeOtherAuthorities(layout state.Layout, now func() time.Time) error {
	front, err := pki.Open(layout.PKI(), "front-proxy-ca", now)
	if err != nil {
		return err
	}
	if err := front.Issue(user("front-proxy-client", "front-proxy-client")); err != nil {
		return err
	}
	if _, err := pki.Open(layout.PKI(), "outside-ca", now); err != nil {
		return err
	}
	return pki.KeyPair(layout.PKI(), "service-accounts")
}
