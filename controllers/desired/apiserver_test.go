// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package desired

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/test/apiserver"
)

// TestWhatTheAPIServerStoresIsWhatWasBuilt applies every scenario twice to a real API server. The first time it has to
// accept every object; the second time the operator must find its intent there, byte for byte, and write nothing.
func TestWhatTheAPIServerStoresIsWhatWasBuilt(t *testing.T) {
	server := startAPIServer(t)
	for _, s := range everyScenario() {
		t.Run(s.name, func(t *testing.T) {
			for _, p := range s.phases {
				for _, object := range p.objects {
					switch intent, ok := object.(Object); {
					case !ok:
					case *intent.GetKind() == "Job":
						server.createTwice(t, intent)
					default:
						server.applyTwice(t, intent)
					}
				}
			}
		})
	}
	t.Run("keys", server.keepsTheKey)
	t.Run("updates", server.updatesWorkloadsInPlace)
}

// createTwice makes a Job, which nobody changes. Made again, it is the same.
func (s apiServer) createTwice(t *testing.T, intent Object) {
	t.Helper()
	for range 2 {
		if err := s.applier.Create(t.Context(), intent); err != nil {
			t.Error(err)
		}
	}
}

type apiServer struct {
	applier   *apply.Applier
	client    client.Client
	extractor metav1ac.UnstructuredExtractor
}

func startAPIServer(t *testing.T) apiServer {
	t.Helper()
	crds := filepath.Join(certManagerDir(t), "deploy", "crds")
	config, stop, err := apiserver.Start("", crds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	kinds := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(kinds))
	utilruntime.Must(certmanagerv1.AddToScheme(kinds))
	c, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		t.Fatal(err)
	}
	extractor, err := metav1ac.NewUnstructuredExtractor(discovery.NewDiscoveryClientForConfigOrDie(config))
	if err != nil {
		t.Fatal(err)
	}
	return apiServer{&apply.Applier{Reader: stripped{c}, Writer: c}, c, extractor}
}

// certManagerDir is where the module's sources are: its CRDs lie beside them.
func certManagerDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// stripped answers as the operator's cache would, without its delay.
type stripped struct{ client.Reader }

func (r stripped) Get(ctx context.Context, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
	if err := r.Reader.Get(ctx, key, object, o...); err != nil {
		return err
	}
	_, err := apply.Strip(object)
	return err
}

func (s apiServer) applyTwice(t *testing.T, intent Object) {
	t.Helper()
	if _, err := s.applier.Apply(t.Context(), copyOf(t, intent)); err != nil {
		t.Fatal(err)
	}
	written, err := s.applier.Apply(t.Context(), copyOf(t, intent))
	if err != nil {
		t.Fatal(err)
	}
	if written {
		t.Errorf("%s %s was written a second time: it is stored differently (-stored +built):\n%s",
			*intent.GetKind(), *intent.GetName(), s.difference(t, intent))
	}
}

// copyOf exists because the client writes the API server's answer over what it is given.
func copyOf(t *testing.T, intent Object) Object {
	t.Helper()
	data, err := json.Marshal(intent)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := reflect.New(reflect.TypeOf(intent).Elem()).Interface().(Object)
	if !ok {
		t.Fatalf("%T is no object", intent)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// difference is what the API server holds for the operator, compared with what the operator sent.
func (s apiServer) difference(t *testing.T, intent Object) string {
	t.Helper()
	sent := &unstructured.Unstructured{Object: decode[map[string]any](t, intent)}
	stored := sent.DeepCopy()
	if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(sent), stored); err != nil {
		t.Fatal(err)
	}
	extracted, err := s.extractor.Extract(stored, apply.FieldManager)
	if err != nil {
		t.Fatal(err)
	}
	return cmp.Diff(decode[map[string]any](t, extracted.Object), sent.Object)
}

// keepsTheKey creates the key once more: the loop relies on the refusal.
func (s apiServer) keepsTheKey(t *testing.T) {
	in := minimalInput()
	if err := s.client.Create(t.Context(), Keys(in, 1, make([]byte, 32))); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Create(t.Context(), Keys(in, 1, make([]byte, 32))); !apierrors.IsAlreadyExists(err) {
		t.Errorf("a second key: %v, want AlreadyExists", err)
	}
	changed := Keys(in, 1, []byte("another key, just as many bytes!"))
	if err := s.client.Update(t.Context(), changed); !apierrors.IsInvalid(err) {
		t.Errorf("another key in place of the first: %v, want Invalid", err)
	}
}

// updatesWorkloadsInPlace changes all that a class may change under running tenants: an immutable field among it would
// leave the tenant stuck.
func (s apiServer) updatesWorkloadsInPlace(t *testing.T) {
	in := minimalInput()
	in.Class.Spec = *fullInput().Class.Spec.DeepCopy()
	in.Class.Spec.Database.StorageSize = minimalInput().Class.Spec.Database.StorageSize
	in.Class.Spec.Images.Postgres = "registry.example/postgres:15.9"
	for _, intent := range append(Database(in), ChatServer(in)...) {
		s.applyTwice(t, intent)
	}
	var set appsv1.StatefulSet
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: "chat-acme", Name: "postgres"}, &set); err != nil {
		t.Fatal(err)
	}
	if got := set.Spec.Template.Spec.Containers[0].Image; got != "registry.example/postgres:15.9" {
		t.Errorf("image = %s", got)
	}
}
