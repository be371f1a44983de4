// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/isolation"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Egress is a tenant's egress gateway.
type Egress struct {
	// Recipients are those that it opens. There may be none: then it refuses everything.
	Recipients []Recipient
	// Address is the ClusterIP of its Service, empty until that exists. The chat server cannot be built before.
	Address string
}

// Recipient is one that the tenant may reach.
type Recipient struct {
	Name string
	// Endpoints is never empty.
	Endpoints []v1alpha1.RecipientEndpoint
}

// EgressTo is a gateway that opens these TCP ports, for whom nothing else of it matters.
func EgressTo(ports ...int32) *Egress {
	endpoints := make([]v1alpha1.RecipientEndpoint, len(ports))
	for i, port := range ports {
		endpoints[i].Port = port
	}
	return &Egress{Recipients: []Recipient{{Endpoints: endpoints}}}
}

// Where the egress gateway's pod finds its files.
const (
	egressConfigDir = "/etc/chattenant"
	egressConfig    = "egress.yaml"
	egressTLSDir    = "/var/run/chattenant/tls"
	egressUser      = 65532
)

const (
	// egressLeaveSeconds pass between a gateway's removal from its Service and the signal to stop.
	egressLeaveSeconds = 2
	// egressDrainSeconds are what connections get to end by themselves.
	egressDrainSeconds = 4
	// egressStopSeconds bound the whole stop. Where a gateway goes because nothing is declared any more, its connections
	// have to be cut within ten seconds, whatever it is still waiting for.
	egressStopSeconds = 8
)

// EgressGateway is the tenant's way out, nothing where it has none.
func EgressGateway(in Input) []Object {
	if in.Egress == nil {
		return nil
	}
	objects := []Object{
		EgressConfig(in),
		service(in, componentEgress, "connect", naming.EgressPort),
		egressDeployment(in),
	}
	if egressReplicas(in) > 1 {
		objects = append(objects, egressBudget(in))
	}
	return objects
}

// EgressConfig is all that the gateway may do. Without recipients it may do nothing.
func EgressConfig(in Input) Object { return configMap(in, componentEgress, egressFiles(in)) }

// EgressRevision names the content of EgressConfig, in 16 characters.
func EgressRevision(in Input) string { return hash(egressFiles(in))[:16] }

func egressFiles(in Input) map[string]string {
	recipients := make([]egressconfig.Recipient, 0, len(openRecipients(in)))
	for _, r := range openRecipients(in) {
		endpoints := make([]egressconfig.Endpoint, 0, len(r.Endpoints))
		for _, e := range r.Endpoints {
			endpoints = append(endpoints, egressconfig.Endpoint{Host: e.Host, Port: e.Port})
		}
		recipients = append(recipients, egressconfig.Recipient{Name: r.Name, Endpoints: endpoints})
	}
	// The type holds strings and integers: nothing that could fail to marshal.
	data, _ := egressconfig.New(in.Tenant.Name, recipients).Marshal()
	return map[string]string{egressConfig: string(data)}
}

func openRecipients(in Input) []Recipient {
	if in.Egress == nil {
		return nil
	}
	return in.Egress.Recipients
}

// egressReplicas are two where the tenant has more than one chat server: key operations and mail wait for a gateway, so
// a node that is drained must not hold them up. A tenant that makes do with one chat server makes do with one gateway.
func egressReplicas(in Input) int32 { return min(2, replicas(in)) }

// egressDeployment has no digest of its configuration on its pods: they read it anew when it changes, and connections
// to other recipients go on.
func egressDeployment(in Input) Object {
	pod := corev1ac.PodTemplateSpec().WithLabels(roleLabels(in, componentEgress, isolation.Egress)).WithSpec(egressPod(in))
	return deployment(in, componentEgress, egressReplicas(in), pod)
}

// egressPod is the only pod of a tenant that resolves names. It asks for them as they are: with the cluster's search
// domains a recipient's name could be answered by a Service.
func egressPod(in Input) *corev1ac.PodSpecApplyConfiguration {
	spec := podSpec(in, componentEgress, egressUser).
		WithDNSPolicy(corev1.DNSClusterFirst).
		WithTerminationGracePeriodSeconds(egressStopSeconds).
		WithTopologySpreadConstraints(corev1ac.TopologySpreadConstraint().
			WithTopologyKey(corev1.LabelHostname).
			WithMaxSkew(1).
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(selector(in, componentEgress))).
		WithContainers(egressContainer(in)).
		WithVolumes(
			configVolume("config", componentEgress),
			secretVolume("tls", certEgress))
	return spec.WithDNSConfig(corev1ac.PodDNSConfig().
		WithOptions(corev1ac.PodDNSConfigOption().WithName("ndots").WithValue("1")))
}

func egressContainer(in Input) *corev1ac.ContainerApplyConfiguration {
	s := egressSizes(in)
	return container(componentEgress, string(in.Class.Spec.Images.EgressGateway), s).
		WithArgs("egress",
			"--config="+egressConfigDir+"/"+egressConfig,
			"--tls-dir="+egressTLSDir,
			// The sleep before the signal is the delay.
			"--drain-delay=0s",
			"--drain-timeout="+strconv.Itoa(egressDrainSeconds)+"s").
		WithEnv(corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(s.goMemoryLimit())).
		WithPorts(
			containerPort("connect", naming.EgressPort),
			containerPort("health", naming.EgressHealthPort)).
		WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
			WithSleep(corev1ac.SleepAction().WithSeconds(egressLeaveSeconds)))).
		WithStartupProbe(healthProbe("/livez", 1, 60)).
		WithLivenessProbe(healthProbe("/livez", 10, 3)).
		WithReadinessProbe(healthProbe("/readyz", 5, 2)).
		WithVolumeMounts(
			readOnly("config", egressConfigDir),
			readOnly("tls", egressTLSDir))
}

// egressSizes suit a few hundred connections of one tenant. The memory limit leaves room for as many as the gateway's
// own limits let in. A CPU limit is set only where the class limits both other components: the quota then counts it.
func egressSizes(in Input) sizes {
	s := sizes{
		requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("24Mi"),
		},
		limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
	}
	if cpu, limited := first(chatServerSizes(in).limits, postgresSizes(in).limits)[corev1.ResourceCPU]; limited {
		s.limits[corev1.ResourceCPU] = cpu
		if request := s.requests[corev1.ResourceCPU]; request.Cmp(cpu) > 0 {
			s.requests[corev1.ResourceCPU] = cpu
		}
	}
	return s.withScratch()
}

func egressBudget(in Input) Object {
	return own(in, componentEgress, policyv1ac.PodDisruptionBudget(componentEgress, in.namespace())).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(selector(in, componentEgress)))
}
