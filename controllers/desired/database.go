// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/naming"
)

// Where the database's pod finds its files. The data directory lies below the volume's root, which belongs to the
// kubelet: initdb wants a directory of its own, and it is made beside its final place and renamed.
const (
	postgresConfigDir = "/etc/postgres"
	postgresSocketDir = "/var/run/postgresql"
	postgresTLSDir    = "/var/run/chattenant/tls"
	postgresVolumeDir = "/var/lib/postgresql/data"
	postgresDataDir   = postgresVolumeDir + "/pgdata"
	postgresLock      = postgresDataDir + ".lock"
)

const (
	dataVolume = "data"
	// postgresStopSeconds is enough for a checkpoint of a full write-ahead log on a slow disk.
	postgresStopSeconds = 60
)

// Database is the Standalone engine: one PostgreSQL on a volume of the tenant's own.
func Database(in Input) []Object {
	files := postgresFiles()
	return []Object{
		configMap(in, componentPostgres, files),
		// A Service with an address of its own: the chat server's hosts file needs one that survives the pod.
		service(in, componentPostgres, "postgres", naming.PostgresPort),
		postgresStatefulSet(in, files),
	}
}

// postgresStatefulSet starts pods in parallel, of which there is one: under the other policy a pod that never becomes
// ready is not replaced by an update, so a class with a broken image would need a hand to mend. Volume claims stay
// whatever happens to the StatefulSet.
func postgresStatefulSet(in Input, files map[string]string) Object {
	keep := appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	return own(in, componentPostgres, appsv1ac.StatefulSet(componentPostgres, in.namespace())).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(postgresPods).
			WithRevisionHistoryLimit(retiredReplicaSets).
			WithServiceName(componentPostgres).
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
				WithWhenDeleted(keep).
				WithWhenScaled(keep)).
			WithSelector(selector(in, componentPostgres)).
			WithTemplate(podTemplate(in, componentPostgres, files, postgresPod(in))).
			WithVolumeClaimTemplates(volumeClaim(in)))
}

// DatabaseClaim is the volume claim that Kubernetes makes for the database's only pod.
const DatabaseClaim = dataVolume + "-" + componentPostgres + "-0"

// volumeClaim has no owner reference: garbage collection must never be able to delete data. The list of templates is
// atomic, so it is spelled out as it comes back: with mode and phase, which the server defaults, and without kind and
// version, which its binary encoding does not carry.
func volumeClaim(in Input) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	claim := &corev1ac.PersistentVolumeClaimApplyConfiguration{}
	return claim.WithName(dataVolume).
		WithLabels(labels(in, componentPostgres)).
		WithSpec(corev1ac.PersistentVolumeClaimSpec().
			WithAccessModes(corev1.ReadWriteOnce).
			WithVolumeMode(corev1.PersistentVolumeFilesystem).
			WithStorageClassName(in.Region.Spec.StorageClassName).
			WithResources(corev1ac.VolumeResourceRequirements().
				WithRequests(corev1.ResourceList{corev1.ResourceStorage: storageSize(in)}))).
		WithStatus(corev1ac.PersistentVolumeClaimStatus().WithPhase(corev1.ClaimPending))
}

func storageSize(in Input) resource.Quantity {
	if d := in.Tenant.Spec.Database; d != nil {
		return d.StorageSize
	}
	return in.Class.Spec.Database.StorageSize
}

func postgresPod(in Input) *corev1ac.PodSpecApplyConfiguration {
	return podSpec(in, componentPostgres, postgresUser).
		WithTerminationGracePeriodSeconds(postgresStopSeconds).
		WithInitContainers(postgresInit(in)).
		WithContainers(postgresServe(in)).
		WithVolumes(
			configVolume("config", componentPostgres),
			secretVolume("tls", certPostgresServer),
			corev1ac.Volume().WithName("socket").WithEmptyDir(corev1ac.EmptyDirVolumeSource()))
}

// postgresInit makes the database on an empty volume. What it says when it gives up becomes the pod's status, where
// the operator can read it; it never sees anybody's data.
func postgresInit(in Input) *corev1ac.ContainerApplyConfiguration {
	return postgresContainer(in, "init").
		WithCommand(alone("sh", postgresConfigDir+"/"+postgresInitScript)...).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithVolumeMounts(
			readOnly("config", postgresConfigDir),
			writable(dataVolume, postgresVolumeDir))
}

func postgresServe(in Input) *corev1ac.ContainerApplyConfiguration {
	return postgresContainer(in, componentPostgres).
		WithCommand(alone(
			"postgres", "-D", postgresDataDir, "-c", "config_file="+postgresConfigDir+"/"+postgresConfig)...).
		WithPorts(containerPort("postgres", naming.PostgresPort)).
		WithLifecycle(corev1ac.Lifecycle().WithPreStop(fastShutdown())).
		// Recovery after a crash replays at most max_wal_size.
		WithStartupProbe(postgresProbe(1, 300)).
		WithLivenessProbe(postgresProbe(20, 3)).
		WithReadinessProbe(postgresProbe(10, 2)).
		WithVolumeMounts(
			readOnly("config", postgresConfigDir),
			readOnly("tls", postgresTLSDir),
			writable("socket", postgresSocketDir),
			writable(dataVolume, postgresVolumeDir))
}

// alone makes a command wait until no process of another pod uses the volume. PostgreSQL's own lock knows only
// processes that it can see, and a pod that was deleted by force is replaced while its server may still write. The lock
// is let go by the kernel when the last process that inherited it has ended.
func alone(command ...string) []string {
	lock := []string{"flock", "--verbose", "--no-fork", "--timeout=" + strconv.Itoa(postgresStopSeconds), postgresLock}
	return append(lock, command...)
}

func postgresContainer(in Input, name string) *corev1ac.ContainerApplyConfiguration {
	return container(name, string(in.Class.Spec.Images.Postgres), postgresSizes(in)).
		WithEnv(corev1ac.EnvVar().WithName("PGDATA").WithValue(postgresDataDir))
}

// fastShutdown ends the sessions. The kubelet's own SIGTERM would wait for every client to leave; coming after this
// one it changes nothing. The server is process 1.
func fastShutdown() *corev1ac.LifecycleHandlerApplyConfiguration {
	return corev1ac.LifecycleHandler().WithExec(corev1ac.ExecAction().WithCommand("sh", "-c", "kill -INT 1"))
}

// postgresProbe asks over the socket, without logging in.
func postgresProbe(everySeconds, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithExec(corev1ac.ExecAction().
			WithCommand("pg_isready", "--quiet", "--host="+postgresSocketDir, "--username=postgres", "--dbname=postgres")).
		WithPeriodSeconds(everySeconds).
		WithTimeoutSeconds(5).
		WithFailureThreshold(failures)
}
