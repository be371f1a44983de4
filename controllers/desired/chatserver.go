// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/chattenant/chattenant/api/naming"
)

const (
	// defaultReplicas is the API's default, for a class that was read without it.
	defaultReplicas = 2
	// leaveSeconds pass between a pod's removal from its Service and the signal to stop, so that proxies on other nodes
	// have stopped sending it new connections.
	leaveSeconds = 3
	// stopMarginSeconds are left after the drain for closing the database's connections.
	stopMarginSeconds = 7
	// retiredReplicaSets are kept for rolling back.
	retiredReplicaSets = 2
)

// ChatServer is the tenant's chat server. It returns nil while the address of the database, or of the egress gateway
// where there is one, is unknown: the pods' hosts file has to hold it. Nor is there one without a way to its key.
func ChatServer(in Input) []Object {
	if in.PostgresAddress == "" || in.Egress != nil && in.Egress.Address == "" || in.Egress == nil && needsWayOut(in) {
		return nil
	}
	files := chatServerFiles(in)
	objects := []Object{
		configMap(in, componentChatServer, files),
		service(in, componentChatServer, "https", naming.ChatServerPort),
		chatServerDeployment(in, files),
	}
	// A budget for one pod would either allow everything or block every node's maintenance.
	if replicas(in) > 1 {
		objects = append(objects, chatServerBudget(in))
	}
	return objects
}

func replicas(in Input) int32 {
	if in.Class.Spec.ChatServer.Replicas < 1 {
		return defaultReplicas
	}
	return in.Class.Spec.ChatServer.Replicas
}

func chatServerDeployment(in Input, files map[string]string) Object {
	pod := podTemplate(in, componentChatServer, files, chatServerPod(in))
	return deployment(in, componentChatServer, replicas(in), pod)
}

// deployment never has fewer ready pods than replicas while it updates.
func deployment(in Input, component string, replicas int32, pod *corev1ac.PodTemplateSpecApplyConfiguration) Object {
	return own(in, component, appsv1ac.Deployment(component, in.namespace())).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(replicas).
			WithRevisionHistoryLimit(retiredReplicaSets).
			WithSelector(selector(in, component)).
			WithStrategy(appsv1ac.DeploymentStrategy().
				WithType(appsv1.RollingUpdateDeploymentStrategyType).
				WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
					WithMaxUnavailable(intstr.FromInt32(0)).
					WithMaxSurge(intstr.FromInt32(1)))).
			WithTemplate(pod))
}

func chatServerPod(in Input) *corev1ac.PodSpecApplyConfiguration {
	return podSpec(in, componentChatServer, chatServerUser).
		WithTerminationGracePeriodSeconds(leaveSeconds+drainSeconds+stopMarginSeconds).
		WithHostAliases(hostAliases(in)...).
		WithTopologySpreadConstraints(corev1ac.TopologySpreadConstraint().
			WithTopologyKey(corev1.LabelHostname).
			WithMaxSkew(1).
			// A region of one node must still run every replica.
			WithWhenUnsatisfiable(corev1.ScheduleAnyway).
			WithLabelSelector(selector(in, componentChatServer))).
		WithContainers(chatServerContainer(in)).
		WithVolumes(
			configVolume("config", componentChatServer),
			configVolume("trust", TrustConfigMap),
			secretVolume("tls", certEndpoint),
			secretVolume("postgres-client", certPostgresClient)).
		WithVolumes(keyVolumes(in)...).
		WithVolumes(keyTokenVolumes(in)...).
		WithVolumes(egressClientVolumes(in)...)
}

// hostAliases are the only names that a chat server knows.
func hostAliases(in Input) []*corev1ac.HostAliasApplyConfiguration {
	aliases := []*corev1ac.HostAliasApplyConfiguration{corev1ac.HostAlias().
		WithIP(in.PostgresAddress).
		WithHostnames(naming.ServiceHost(in.Tenant.Name, naming.Postgres))}
	if in.Egress == nil {
		return aliases
	}
	return append(aliases, corev1ac.HostAlias().
		WithIP(in.Egress.Address).
		WithHostnames(naming.ServiceHost(in.Tenant.Name, naming.Egress)))
}

func keyVolumes(in Input) (volumes []*corev1ac.VolumeApplyConfiguration) {
	for _, generation := range secretGenerations(in) {
		name, _ := keyVolume(generation)
		volumes = append(volumes, secretVolume(name, KeySecretName(generation)))
	}
	return volumes
}

func keyMounts(in Input) (mounts []*corev1ac.VolumeMountApplyConfiguration) {
	for _, generation := range secretGenerations(in) {
		mounts = append(mounts, readOnly(keyVolume(generation)))
	}
	return mounts
}

func chatServerContainer(in Input) *corev1ac.ContainerApplyConfiguration {
	s := chatServerSizes(in)
	return container(componentChatServer, string(in.Class.Spec.Images.ChatServer), s).
		WithArgs("serve", "--config", chatServerConfigDir+"/"+chatServerConfig).
		WithEnv(corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(s.without(helperMemory(in)).goMemoryLimit())).
		WithPorts(
			containerPort("https", naming.ChatServerPort),
			containerPort("health", naming.ChatServerHealthPort)).
		WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
			WithSleep(corev1ac.SleepAction().WithSeconds(leaveSeconds)))).
		// The schema is migrated before the first answer, so a start may take minutes; then failures show in seconds.
		WithStartupProbe(healthProbe("/livez", 1, 180)).
		WithLivenessProbe(healthProbe("/livez", 10, 3)).
		WithReadinessProbe(healthProbe("/readyz", 5, 2)).
		WithVolumeMounts(
			readOnly("config", chatServerConfigDir),
			readOnly("trust", trustDir),
			readOnly("tls", endpointTLSDir),
			readOnly("postgres-client", postgresClientDir)).
		WithVolumeMounts(keyMounts(in)...).
		WithVolumeMounts(keyTokenMounts(in)...).
		WithVolumeMounts(egressClientMounts(in)...)
}

func healthProbe(path string, everySeconds, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().
			WithScheme(corev1.URISchemeHTTPS).
			WithPort(intstr.FromInt32(naming.ChatServerHealthPort)).
			WithPath(path)).
		WithPeriodSeconds(everySeconds).
		WithTimeoutSeconds(3).
		WithFailureThreshold(failures)
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// chatServerBudget lets maintenance take one pod at a time, and a broken pod always: it serves nobody.
func chatServerBudget(in Input) Object {
	return own(in, componentChatServer, policyv1ac.PodDisruptionBudget(componentChatServer, in.namespace())).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(selector(in, componentChatServer)))
}

func configMap(in Input, component string, files map[string]string) Object {
	return own(in, component, corev1ac.ConfigMap(component, in.namespace())).WithData(files)
}

func service(in Input, component, portName string, port int32) Object {
	return own(in, component, corev1ac.Service(component, in.namespace())).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(podSelector(in, component)).
			WithPorts(corev1ac.ServicePort().
				WithName(portName).
				WithProtocol(corev1.ProtocolTCP).
				WithPort(port).
				WithTargetPort(intstr.FromInt32(port))))
}
