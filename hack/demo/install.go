// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// install brings everything up to two Ready tenants.
var install = []step{
	{"Build the widget and the console", (*demo).buildWeb},
	{"Build the installer (Helm)", (*demo).buildHelm},
	{"Start the cluster: two nodes in two regions", (*demo).startCluster},
	{"Build the images", (*demo).buildImages},
	{"Load the images onto the nodes", (*demo).loadImages},
	{"Make a certificate authority for the demo's endpoints", (*demo).makeIssuer},
	{"Install ChatTenant with Helm", (*demo).installChart},
	{"Apply a class, two regions, three sub-processors and two tenants", (*demo).applySamples},
	{"Wait until both tenants are Ready", (*demo).waitReady},
}

const (
	clusterScript = "hack/localcluster/cluster.sh"
	imageFolder   = "out/images"
	system        = "chattenant-system"
	// issuerName is what config/samples names as the class's issuer.
	issuerName = "chattenant-demo"
	// publicPort is where the cluster forwards to the ingress gateway, gatewayNodePort where that listens on each node.
	publicPort      = 8443
	gatewayNodePort = 30443
)

var tenants = []string{"acme", "globex"}

//go:embed issuer.yaml
var issuer string

func (d *demo) buildWeb(ctx context.Context) error { return d.command(ctx, "make", "web") }

func (d *demo) buildHelm(ctx context.Context) error { return d.command(ctx, "make", "bin/helm") }

func (d *demo) startCluster(ctx context.Context) error {
	if err := d.visible(ctx, clusterScript, "up"); err != nil {
		return err
	}
	kubeconfig, err := d.output(ctx, nil, clusterScript, "kubeconfig")
	if err != nil {
		return err
	}
	d.kubeconfig = kubeconfig
	return d.addKubectl(ctx)
}

// addKubectl puts the cluster's own kubectl on the PATH, where the machine has none of its own.
func (d *demo) addKubectl(ctx context.Context) error {
	folder, err := d.output(ctx, nil, clusterScript, "bin")
	if err != nil {
		return err
	}
	return os.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+folder)
}

func (d *demo) buildImages(ctx context.Context) error {
	components := []string{"operator", "gateway", "chatserver", "postgres"}
	folder, err := filepath.Abs(imageFolder)
	if err != nil {
		return fmt.Errorf("find %s: %w", imageFolder, err)
	}
	args := append([]string{"-C", "hack/images", "run", ".", "--out", folder}, components...)
	if err := d.visible(ctx, "go", args...); err != nil {
		return err
	}
	for _, component := range components {
		ref, err := os.ReadFile(filepath.Join(imageFolder, component+".ref"))
		if err != nil {
			return fmt.Errorf("read the reference of image %s: %w", component, err)
		}
		d.images[component] = strings.TrimSpace(string(ref))
	}
	return nil
}

func (d *demo) loadImages(ctx context.Context) error {
	args := []string{"load"}
	for component := range d.images {
		args = append(args, filepath.Join(imageFolder, component+".tar"))
	}
	return d.command(ctx, clusterScript, args...)
}

func (d *demo) makeIssuer(ctx context.Context) error {
	if err := d.apply(ctx, issuer); err != nil {
		return err
	}
	return d.command(ctx, "kubectl", "wait", "--for=condition=Ready", "--timeout=180s", "clusterissuer/"+issuerName)
}

func (d *demo) installChart(ctx context.Context) error {
	outside, err := d.outside(ctx)
	if err != nil {
		return err
	}
	return d.command(ctx, "bin/helm", append([]string{
		"upgrade", "--install", "chattenant", "charts/chattenant",
		"--namespace", system, "--create-namespace", "--wait", "--timeout", "300s",
		// End-to-end tests that were killed may have left the operator stopped.
		"--force-conflicts",
		"--set", "images.operator=" + d.images["operator"],
		"--set", "images.gateway=" + d.images["gateway"],
		"--set", "gateway.service.type=NodePort",
		"--set", fmt.Sprintf("gateway.service.nodePort=%d", gatewayNodePort),
		"--set", fmt.Sprintf("gateway.publicPort=%d", publicPort),
	}, outside...)...)
}

// outside are the arguments that tell the operator's isolation probes what they must not reach: the local cluster has
// an internet of its own, whose name server answers whoever gets through. Elsewhere the operator's default is right.
func (d *demo) outside(ctx context.Context) ([]string, error) {
	if cluster := os.Getenv("CLUSTER"); cluster != "" && cluster != "local" {
		return nil, nil
	}
	printed, err := d.output(ctx, nil, "go", "-C", "hack/localcluster", "run", ".", "outside")
	if err != nil {
		return nil, err
	}
	var facts struct{ DNS struct{ Address string } }
	if err := json.Unmarshal([]byte(printed), &facts); err != nil {
		return nil, fmt.Errorf("understand the local cluster's outside: %w", err)
	}
	flag := "--isolation-outside=" + net.JoinHostPort(facts.DNS.Address, "53")
	return []string{"--set", "operator.extraArgs={" + flag + "}"}, nil
}

func (d *demo) applySamples(ctx context.Context) error {
	manifests, err := d.output(ctx, nil, "kubectl", "kustomize", "config/samples")
	if err != nil {
		return err
	}
	manifests = strings.NewReplacer(
		"chatserver:latest", d.images["chatserver"], "postgres:latest", d.images["postgres"],
		"gateway:latest", d.images["gateway"],
	).Replace(manifests)
	return d.apply(ctx, manifests)
}

func (d *demo) waitReady(ctx context.Context) error {
	args := []string{"wait", "--for=condition=Ready", "--timeout=600s"}
	for _, tenant := range tenants {
		args = append(args, "chattenant/"+tenant)
	}
	if err := d.command(ctx, "kubectl", args...); err != nil {
		story, _ := d.output(ctx, nil, "kubectl", "get", "chattenants", "-o", "wide")
		return fmt.Errorf("%w\n%s", err, story)
	}
	return nil
}
