// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
)

func TestTheChatServerReadsItsConfiguration(t *testing.T) {
	for _, s := range everyScenario() {
		if s.in.PostgresAddress == "" || s.name == "retained" {
			continue
		}
		config := serverConfigOf(t, s.name)
		want := serverconfig.Tenant{
			Name: s.in.Tenant.Name, DisplayName: s.in.Tenant.Spec.DisplayName, PolicyURL: s.in.Tenant.Spec.Privacy.PolicyURL,
			Region: serverconfig.Region{
				Name: s.in.Region.Name, DisplayName: s.in.Region.Spec.DisplayName,
				Jurisdiction: string(s.in.Region.Spec.Jurisdiction),
			},
		}
		if diff := cmp.Diff(want, config.Tenant); diff != "" {
			t.Errorf("%s: tenant (-want +got):\n%s", s.name, diff)
		}
		if got := config.Sealing.Generation(); got != s.in.KeyGeneration || len(config.Sealing.Previous) != int(got)-1 {
			t.Errorf("%s: key generation = %d with %d before, want %d and all before", s.name, got,
				len(config.Sealing.Previous), s.in.KeyGeneration)
		}
	}
}

// TestEveryFileOfTheConfigurationIsMounted follows each path through its volume to the Secret and its key.
func TestEveryFileOfTheConfigurationIsMounted(t *testing.T) {
	config, pod := serverConfigOf(t, "full-us"), chatServerOf(t, "full-us")
	for file, want := range map[string]string{
		config.TLS.CertFile:           "endpoint/tls.crt",
		config.TLS.KeyFile:            "endpoint/tls.key",
		config.Database.TLS.CertFile:  "postgres-client/tls.crt",
		config.Database.TLS.KeyFile:   "postgres-client/tls.key",
		config.Database.CAFile:        "postgres-client/ca.crt",
		config.Sealing.SecretKey.File: "key-encryption-key-2/key",

		config.Sealing.Previous[0].SecretKey.File: "key-encryption-key/key",
	} {
		if got := secretAt(pod, path.Dir(file)) + "/" + path.Base(file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
}

// secretAt is the Secret that the pod's container mounts at directory.
func secretAt(pod corev1.PodTemplateSpec, directory string) string {
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		for _, volume := range pod.Spec.Volumes {
			if mount.MountPath == directory && mount.Name == volume.Name && volume.Secret != nil {
				return volume.Secret.SecretName
			}
		}
	}
	return ""
}

func TestTheDatabaseIsReachedByNameWithoutDNS(t *testing.T) {
	config, pod := serverConfigOf(t, "full-us"), chatServerOf(t, "full-us")
	want := []corev1.HostAlias{{IP: "fd00:10:96::a", Hostnames: []string{config.Database.Host}}}
	if diff := cmp.Diff(want, pod.Spec.HostAliases); diff != "" {
		t.Errorf("host aliases (-want +got):\n%s", diff)
	}
	if config.Database.Host != naming.ServiceHost("globex", "postgres") {
		t.Errorf("database host = %s", config.Database.Host)
	}
}

func TestWithoutTheDatabasesAddressThereIsNoChatServer(t *testing.T) {
	in := minimalInput()
	in.PostgresAddress = ""
	if got := ChatServer(in); got != nil {
		t.Errorf("got %d objects", len(got))
	}
}

func TestASingleReplicaHasNoDisruptionBudget(t *testing.T) {
	for want, replicas := range map[bool]int32{false: 1, true: 2} {
		in := minimalInput()
		in.Class.Spec.ChatServer.Replicas = replicas
		got := false
		for _, object := range ChatServer(in) {
			got = got || *object.GetKind() == "PodDisruptionBudget"
		}
		if got != want {
			t.Errorf("%d replicas: budget = %t", replicas, got)
		}
	}
}

func TestAChangedConfigurationRollsThePods(t *testing.T) {
	before, changed := minimalInput(), minimalInput()
	changed.Tenant.Spec.DisplayName = "Acme AG"
	if annotationOf(t, before) == annotationOf(t, changed) {
		t.Error("another display name leaves the pod template as it was")
	}
}

func TestTheOrderOfOriginsRollsNothing(t *testing.T) {
	before, changed := fullInput(), fullInput()
	origins := changed.Tenant.Spec.Endpoint.AllowedOrigins
	origins[0], origins[1] = origins[1], origins[0]
	if annotationOf(t, before) != annotationOf(t, changed) {
		t.Error("the same set in another order changes the pod template")
	}
}

func annotationOf(t *testing.T, in Input) string {
	t.Helper()
	s := scenario{"", in, everything(in)}
	return find[appsv1.Deployment](t, s, "Deployment", "chatserver").Spec.Template.Annotations[annotationConfigHash]
}

// TestAllReplicasTogetherFitIntoTheDatabase counts a pool and a listening connection for each chat server of a rolling
// update at its peak.
func TestAllReplicasTogetherFitIntoTheDatabase(t *testing.T) {
	usable := settingOf(t, "max_connections") - settingOf(t, "superuser_reserved_connections")
	for replicas := int32(1); replicas <= 10; replicas++ {
		in := minimalInput()
		in.Class.Spec.ChatServer.Replicas = replicas
		pool := int(poolSize(in))
		if pool < 2 {
			t.Errorf("%d replicas: a pool of %d", replicas, pool)
		}
		if peak := int(2*replicas+1) * (pool + 1); peak > usable {
			t.Errorf("%d replicas: %d connections at the peak, %d usable", replicas, peak, usable)
		}
	}
}

func named(t *testing.T, name string) scenario {
	t.Helper()
	for _, s := range everyScenario() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no scenario %s", name)
	return scenario{}
}

func podOf(t *testing.T, scenario, component string) corev1.PodTemplateSpec {
	t.Helper()
	switch component {
	case "postgres":
		return postgresOf(t, scenario)
	case "egress":
		return egressOf(t, scenario)
	}
	return chatServerOf(t, scenario)
}

func chatServerOf(t *testing.T, scenario string) corev1.PodTemplateSpec {
	t.Helper()
	return find[appsv1.Deployment](t, named(t, scenario), "Deployment", "chatserver").Spec.Template
}

func egressOf(t *testing.T, scenario string) corev1.PodTemplateSpec {
	t.Helper()
	return find[appsv1.Deployment](t, named(t, scenario), "Deployment", "egress").Spec.Template
}

func postgresOf(t *testing.T, scenario string) corev1.PodTemplateSpec {
	t.Helper()
	return find[appsv1.StatefulSet](t, named(t, scenario), "StatefulSet", "postgres").Spec.Template
}

// serverConfigOf parses the configuration as the chat server does.
func serverConfigOf(t *testing.T, scenario string) *serverconfig.ChatServerConfiguration {
	t.Helper()
	files := find[corev1.ConfigMap](t, named(t, scenario), "ConfigMap", "chatserver").Data
	config, err := serverconfig.Parse([]byte(files["config.yaml"]))
	if err != nil {
		t.Fatalf("%s: %v", scenario, err)
	}
	return config
}
