// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/images"
	"github.com/chattenant/chattenant/hack/localcluster/internal/kubeapi"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

const (
	// patience is how long any one part may take to become ready on a busy machine; it takes seconds on another.
	patience = 5 * time.Minute
	// poll is how often it is asked.
	poll = 100 * time.Millisecond
)

// object is the part of a Node or a Deployment that says whether it is ready.
type object struct {
	Status struct {
		Conditions []struct{ Type, Status, Message string }
	}
}

// awaitCondition waits until the object at path has a condition, and reports the last obstacle if it never does.
func awaitCondition(ctx context.Context, client *kubeapi.Client, path, condition string) error {
	return eventually(ctx, path, func(ctx context.Context) error {
		var found object
		if err := client.Get(ctx, path, &found); err != nil {
			return err
		}
		for _, each := range found.Status.Conditions {
			if each.Type == condition && each.Status == "True" {
				return nil
			}
			if each.Type == condition {
				return errors.New(each.Message)
			}
		}
		return fmt.Errorf("condition %s is not reported", condition)
	})
}

// eventually tries until it succeeds or patience ends.
func eventually(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", what, err)
		case <-time.After(poll):
		}
	}
}

func (c *Cluster) awaitAPI(ctx context.Context) (string, error) {
	client, err := c.api()
	if err != nil {
		return "", err
	}
	ready := func(ctx context.Context) error { return client.Get(ctx, "/readyz", nil) }
	return fmt.Sprintf("https://127.0.0.1:%d", c.Ports.API), eventually(ctx, "the API server", ready)
}

// awaitContainerd waits until every node answers questions about images.
func (c *Cluster) awaitContainerd(ctx context.Context) error {
	machines, err := c.machines()
	if err != nil {
		return err
	}
	for _, node := range topology.Nodes() {
		answers := func(ctx context.Context) error {
			_, err := images.Present(ctx, machines[node.Name])
			return err
		}
		if err := eventually(ctx, "containerd of "+node.Name, answers); err != nil {
			return err
		}
	}
	return nil
}

// awaitNodes asks each kubelet itself: what a Node says may date from before the machine was started again.
func (c *Cluster) awaitNodes(ctx context.Context) (string, error) {
	client, err := c.api()
	if err != nil {
		return "", err
	}
	names := ""
	for _, node := range topology.Nodes() {
		path := "/api/v1/nodes/" + node.Name
		alive := func(ctx context.Context) error { return client.Get(ctx, path+"/proxy/healthz", nil) }
		if err := eventually(ctx, "the kubelet of "+node.Name, alive); err != nil {
			return "", err
		}
		if err := awaitCondition(ctx, client, path, "Ready"); err != nil {
			return "", err
		}
		names += " " + node.Name
	}
	return "ready:" + names, nil
}

// awaitAddons waits for the add-ons, and for an answer to a question from each node to the cluster's DNS, which needs
// kube-proxy, the network between the nodes and CoreDNS to work.
func (c *Cluster) awaitAddons(ctx context.Context) (string, error) {
	client, err := c.api()
	if err != nil {
		return "", err
	}
	for namespace, name := range map[string]string{"kube-system": "coredns", "cert-manager": "cert-manager"} {
		path := "/apis/apps/v1/namespaces/" + namespace + "/deployments/" + name
		if err := awaitCondition(ctx, client, path, "Available"); err != nil {
			return "", err
		}
	}
	for _, node := range topology.Nodes() {
		ask := func(ctx context.Context) error { return c.askDNS(ctx, node.Name) }
		if err := eventually(ctx, "DNS as seen from "+node.Name, ask); err != nil {
			return "", err
		}
	}
	return "coredns answers, cert-manager is available", nil
}

// askDNS enters the network of a machine, and nothing else of it, so that this program can run there.
func (c *Cluster) askDNS(ctx context.Context, name string) error {
	machine, err := c.Machine(name)
	if err != nil {
		return err
	}
	pid, err := machine.PID()
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--net",
		program, "resolve", "kubernetes.default.svc.cluster.local")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}
