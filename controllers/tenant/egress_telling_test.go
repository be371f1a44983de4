// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
)

// kubeAPI takes patches of one pod's annotations; anything else would be a nil pointer.
type kubeAPI struct {
	client.Writer

	pod     *corev1.Pod
	patches int
}

func (k *kubeAPI) Patch(_ context.Context, _ client.Object, patch client.Patch, _ ...client.PatchOption) error {
	k.patches++
	data, err := patch.Data(nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, k.pod)
}

// Kubelet hears of a pod and of its configuration by two watches: the second word comes after both.
func TestAGatewayIsToldTwiceAndThenNoMore(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "egress-1", UID: "1", Labels: map[string]string{v1alpha1.LabelName: naming.Egress}}}
	api, clock := &kubeAPI{pod: pod}, clocktesting.NewFakePassiveClock(time.Unix(1900000000, 0))
	r := &Reconciler{Clock: clock, Applier: &apply.Applier{Writer: api}}
	for i, step := range []struct {
		after   time.Duration
		config  string
		told    bool
		patches int
		wakes   bool
	}{
		{0, "one", false, 1, true},
		{time.Second, "one", false, 1, true},
		{repeatAfter, "one", true, 2, false},
		{time.Hour, "one", true, 2, false},
		{time.Second, "two", false, 3, true},
		{repeatAfter, "two", true, 4, false},
	} {
		clock.SetTime(clock.Now().Add(step.after))
		s := &scope{pods: []corev1.Pod{*pod.DeepCopy()}}
		told, err := r.tellGateways(t.Context(), s, step.config)
		if err != nil {
			t.Fatal(err)
		}
		if told != step.told || api.patches != step.patches || (s.requeueAfter > 0) != step.wakes {
			t.Errorf("step %d: told %v after %d patches, another pass in %s; want %+v",
				i, told, api.patches, s.requeueAfter, step)
		}
	}
}
