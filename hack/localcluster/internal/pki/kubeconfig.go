// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// kubeconfig is the part of the client configuration format that is used here. JSON is valid YAML.
type kubeconfig struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []namedCluster `json:"clusters"`
	Users          []namedUser    `json:"users"`
	Contexts       []namedContext `json:"contexts"`
}

type namedCluster struct {
	Name    string  `json:"name"`
	Cluster cluster `json:"cluster"`
}

type cluster struct {
	Server string `json:"server"`
	CA     []byte `json:"certificate-authority-data"`
}

type namedUser struct {
	Name string `json:"name"`
	User user   `json:"user"`
}

type user struct {
	Certificate []byte `json:"client-certificate-data"`
	Key         []byte `json:"client-key-data"`
}

type namedContext struct {
	Name    string  `json:"name"`
	Context context `json:"context"`
}

type context struct {
	Cluster string `json:"cluster"`
	User    string `json:"user"`
}

// contextName is the cluster's and the context's name in every kubeconfig.
const contextName = "chattenant-local"

// WriteKubeconfig writes to path how the holder of the certificate called leaf reaches the API server at server.
func (a *Authority) WriteKubeconfig(path, leaf, server string) error {
	var parts [3][]byte
	for i, file := range []string{a.file("crt"), filepath.Join(a.dir, leaf+".crt"), filepath.Join(a.dir, leaf+".key")} {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parts[i] = content
	}
	content, err := json.MarshalIndent(kubeconfig{
		APIVersion: "v1", Kind: "Config", CurrentContext: contextName,
		Clusters: []namedCluster{{contextName, cluster{Server: server, CA: parts[0]}}},
		Users:    []namedUser{{leaf, user{Certificate: parts[1], Key: parts[2]}}},
		Contexts: []namedContext{{contextName, context{Cluster: contextName, User: leaf}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), keyMode)
}

// Credentials are what a kubeconfig of this package says.
type Credentials struct {
	// Server is the API server's URL.
	Server string
	// CA, Certificate and Key are PEM blocks.
	CA, Certificate, Key []byte
}

// ReadKubeconfig reads a file that WriteKubeconfig wrote.
func ReadKubeconfig(path string) (Credentials, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, err
	}
	var file kubeconfig
	if err := json.Unmarshal(content, &file); err != nil {
		return Credentials{}, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		return Credentials{}, fmt.Errorf("%s is not a kubeconfig of this cluster", path)
	}
	from := file.Clusters[0].Cluster
	who := file.Users[0].User
	return Credentials{Server: from.Server, CA: from.CA, Certificate: who.Certificate, Key: who.Key}, nil
}
