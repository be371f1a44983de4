// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// repeatAfter is when a gateway is told a second time. Kubelet hears of a pod and of its configuration by two watches:
// if the first word comes before the new configuration does, the second comes after it.
const repeatAfter = 3 * time.Second

// revision is what AnnotationEgressRevision holds: the configuration's, how often it was told, and when first.
type revision struct {
	config string
	times  int
	first  time.Time
}

func (v revision) String() string { return fmt.Sprintf("%s.%d.%d", v.config, v.times, v.first.Unix()) }

// parseRevision answers the zero value for what nobody wrote, or nobody who knows how.
func parseRevision(text string) revision {
	config, rest, _ := strings.Cut(text, ".")
	times, first, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(times)
	seconds, errFirst := strconv.ParseInt(first, 10, 64)
	if err != nil || errFirst != nil {
		return revision{}
	}
	return revision{config, n, time.Unix(seconds, 0)}
}

// tellGateways makes kubelet refresh the configuration of every gateway's pod, which it would else do within a minute
// or two. It answers whether all were told, twice.
func (r *Reconciler) tellGateways(ctx context.Context, s *scope, config string) (bool, error) {
	all := true
	for i := range s.pods {
		pod := &s.pods[i]
		if pod.Labels[v1alpha1.LabelName] != naming.Egress || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		told, err := r.tellGateway(ctx, s, pod, config)
		if err != nil {
			return false, err
		}
		all = all && told
	}
	return all, nil
}

func (r *Reconciler) tellGateway(ctx context.Context, s *scope, pod *corev1.Pod, config string) (bool, error) {
	now, next := r.Clock.Now(), parseRevision(pod.Annotations[v1alpha1.AnnotationEgressRevision])
	wait := repeatAfter - now.Sub(next.first)
	switch {
	case next.config != config:
		next, wait = revision{config, 1, now}, repeatAfter
	case next.times > 1:
		return true, nil
	case wait > 0:
		s.requeue(wait)
		return false, nil
	default:
		next.times++
	}
	if wait > 0 {
		s.requeue(wait)
	}
	return next.times > 1, r.Applier.AnnotatePod(ctx, pod, v1alpha1.AnnotationEgressRevision, next.String())
}
