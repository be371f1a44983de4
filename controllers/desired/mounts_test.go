// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestEveryMountHasAVolumeAndEveryVolumeASource(t *testing.T) {
	for _, s := range everyScenario() {
		sources := sourcesOf(t, s)
		for _, object := range s.objects(t) {
			pod, ok := podTemplateOf(t, object)
			if !ok {
				continue
			}
			volumes := volumesOf(t, s, object, pod, sources)
			for _, c := range containersOf(pod) {
				checkMounts(t, s.name+"/"+object.GetName()+": "+c.Name, c.VolumeMounts, volumes)
			}
		}
	}
}

func checkMounts(t *testing.T, container string, mounts []corev1.VolumeMount, volumes map[string]bool) {
	t.Helper()
	for _, mount := range mounts {
		if !volumes[mount.Name] {
			t.Errorf("%s mounts volume %s, which the pod does not have", container, mount.Name)
		}
		if mount.SubPath != "" || mount.SubPathExpr != "" {
			t.Errorf("%s mounts a path of %s: it would never change", container, mount.Name)
		}
	}
}

// volumesOf checks where the pod's volumes come from and returns their names.
func volumesOf(
	t *testing.T, s scenario, object *unstructured.Unstructured, pod corev1.PodTemplateSpec, sources map[string]bool,
) map[string]bool {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = true
		switch {
		case volume.Secret != nil:
			if !sources["Secret/"+volume.Secret.SecretName] {
				t.Errorf("%s/%s: nobody makes Secret %s", s.name, object.GetName(), volume.Secret.SecretName)
			}
			if *volume.Secret.DefaultMode != 0o440 {
				t.Errorf("%s/%s: mode of %s is %o", s.name, object.GetName(), volume.Name, *volume.Secret.DefaultMode)
			}
		case volume.ConfigMap != nil:
			if !sources["ConfigMap/"+volume.ConfigMap.Name] {
				t.Errorf("%s/%s: nobody makes ConfigMap %s", s.name, object.GetName(), volume.ConfigMap.Name)
			}
		}
	}
	claims, _, _ := unstructured.NestedSlice(object.Object, "spec", "volumeClaimTemplates")
	for _, claim := range claims {
		if template, ok := claim.(map[string]any); ok {
			name, _, _ := unstructured.NestedString(template, "metadata", "name")
			volumes[name] = true
		}
	}
	return volumes
}

// sourcesOf are the Secrets and ConfigMaps of the whole tenant, also those that cert-manager makes.
func sourcesOf(t *testing.T, s scenario) map[string]bool {
	t.Helper()
	sources := map[string]bool{}
	whole := scenario{s.name, s.in, everything(s.in)}
	for _, object := range whole.objects(t) {
		switch object.GetKind() {
		case "Secret", "ConfigMap":
			sources[object.GetKind()+"/"+object.GetName()] = true
		case "Certificate":
			sources["Secret/"+decode[certmanagerv1.Certificate](t, object.Object).Spec.SecretName] = true
		}
	}
	return sources
}

func TestTeardownKnowsEverySecretThatCertManagerMakes(t *testing.T) {
	var made []string
	for _, object := range named(t, "several-ports").objects(t) {
		if object.GetKind() == "Certificate" {
			made = append(made, decode[certmanagerv1.Certificate](t, object.Object).Spec.SecretName)
		}
	}
	known := TLSSecretNames()
	slices.Sort(made)
	slices.Sort(known)
	if !slices.Equal(made, known) {
		t.Errorf("cert-manager makes %v, teardown knows %v", made, known)
	}
}

// TestEachPodMountsItsOwnSecretsOnly guards against a key that is mounted one pod too far.
func TestEachPodMountsItsOwnSecretsOnly(t *testing.T) {
	for component, test := range map[string]struct {
		pod  corev1.PodTemplateSpec
		want []string
	}{
		"chatserver": {
			chatServerOf(t, "several-ports"),
			[]string{"egress-client", "endpoint", "key-encryption-key", "key-encryption-key-2", "postgres-client"},
		},
		"postgres": {postgresOf(t, "several-ports"), []string{"postgres-server"}},
		"egress":   {egressOf(t, "several-ports"), []string{"egress"}},
	} {
		var got []string
		for _, volume := range test.pod.Spec.Volumes {
			if volume.Secret != nil {
				got = append(got, volume.Secret.SecretName)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s mounts Secrets %v, want %v", component, got, test.want)
		}
	}
}
