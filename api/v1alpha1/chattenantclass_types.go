// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChatTenantClassSpec is what a platform team decides once for many tenants.
// +kubebuilder:validation:XValidation:rule="!has(self.rollout)",message="this release rolls image changes out to all tenants of a class at once, so it cannot honour spec.rollout: leave the field out"
type ChatTenantClassSpec struct {
	// issuerRef names the issuer of the tenants' public certificates.
	// +required
	IssuerRef IssuerReference `json:"issuerRef,omitzero"`

	// images are what the tenants' pods run, by digest in production.
	// +required
	Images Images `json:"images,omitzero"`

	// processor is who runs the platform, as the tenants' trust documents name it. Without it they name nobody.
	// +optional
	Processor *Processor `json:"processor,omitempty"`

	// database is the kind and size of each tenant's PostgreSQL.
	// +required
	Database ClassDatabase `json:"database,omitzero"`

	// chatServer is the size of each tenant's chat server.
	// +required
	ChatServer ClassChatServer `json:"chatServer,omitzero"`

	// isolation is how hard the tenants are kept apart, beyond what always holds.
	// +optional
	Isolation *Isolation `json:"isolation,omitempty"`

	// exposure is how the tenants' endpoints are reached. It defaults to the ingress gateway.
	// +optional
	Exposure *Exposure `json:"exposure,omitempty"`

	// rollout is how image changes reach the tenants.
	// +optional
	Rollout *Rollout `json:"rollout,omitempty"`
}

// Processor is the organisation that runs the platform on behalf of the tenants' customers.
type Processor struct {
	// legalName is its registered name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	LegalName string `json:"legalName,omitempty"`

	// address is its postal address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=300
	Address string `json:"address,omitempty"`

	// contact is where privacy questions go: an e-mail address or an https:// address.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Contact string `json:"contact,omitempty"`
}

// IssuerKind is the kind of a certificate issuer.
// +kubebuilder:validation:Enum=ClusterIssuer
type IssuerKind string

// IssuerKindCluster is the only kind a cluster-scoped class can name.
const IssuerKindCluster IssuerKind = "ClusterIssuer"

// IssuerReference names a cert-manager issuer.
type IssuerReference struct {
	// kind is the issuer's kind.
	// +required
	Kind IssuerKind `json:"kind,omitempty"`

	// name is the issuer's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
}

// Image is a container image reference.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=500
// +kubebuilder:validation:Pattern=`^[a-z0-9][-a-zA-Z0-9._:/]*(@sha256:[0-9a-f]{64})?$`
type Image string

// Images are what tenants' pods run.
type Images struct {
	// chatServer is the chat server's image.
	// +required
	ChatServer Image `json:"chatServer,omitempty"`

	// postgres is the Standalone engine's image: it must hold initdb, postgres and util-linux's flock on the PATH, a
	// shell, and a passwd entry for uid 999.
	// +optional
	Postgres Image `json:"postgres,omitempty"`

	// egressGateway is the egress gateway's image: the program gateway. It is needed as soon as a tenant of the class uses
	// a recipient with endpoints.
	// +optional
	EgressGateway Image `json:"egressGateway,omitempty"`
}

// DatabaseEngine is how a tenant's PostgreSQL is run.
// +kubebuilder:validation:Enum=Standalone;CloudNativePG;External
type DatabaseEngine string

// How a tenant's PostgreSQL is run.
const (
	// EngineStandalone is one PostgreSQL pod with its own volume.
	EngineStandalone DatabaseEngine = "Standalone"
	// EngineCloudNativePG is a CloudNativePG Cluster.
	EngineCloudNativePG DatabaseEngine = "CloudNativePG"
	// EngineExternal is an existing server.
	EngineExternal DatabaseEngine = "External"
)

// ClassDatabase is the kind and size of each tenant's PostgreSQL.
// +kubebuilder:validation:XValidation:rule="self.engine == 'Standalone'",message="this release runs the Standalone engine only: set database.engine to Standalone"
type ClassDatabase struct {
	// engine is how PostgreSQL is run. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="engine cannot change: create another class"
	Engine DatabaseEngine `json:"engine,omitempty"`

	// storageSize is the size of a database's volume. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('256Mi')) >= 0",message="storageSize must be at least 256Mi: an empty database already takes much of that"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storageSize cannot change: create another class"
	StorageSize resource.Quantity `json:"storageSize,omitzero"`

	// resources are what a database's pod asks for and is held to.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
}

// ClassChatServer is the size of each tenant's chat server. An empty one gets the default number of replicas.
type ClassChatServer struct {
	// replicas is the number of chat server pods. It defaults to 2.
	// +optional
	// +default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Replicas int32 `json:"replicas,omitempty"`

	// resources are what a chat server's pod asks for and is held to.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
}

// Resources are what a pod asks for and is held to: cpu and memory only.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="(!has(self.requests) || self.requests.all(k, k in ['cpu', 'memory'])) && (!has(self.limits) || self.limits.all(k, k in ['cpu', 'memory']))",message="only cpu and memory can be set"
// +kubebuilder:validation:XValidation:rule="(!has(self.requests) || self.requests.all(k, quantity(string(self.requests[k])).isGreaterThan(quantity('0')))) && (!has(self.limits) || self.limits.all(k, quantity(string(self.limits[k])).isGreaterThan(quantity('0'))))",message="requests and limits must be greater than 0"
// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)",message="a request must not be greater than its limit"
type Resources struct {
	// requests are what the scheduler reserves.
	// +optional
	// +kubebuilder:validation:MaxProperties=2
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// limits are what the kernel enforces.
	// +optional
	// +kubebuilder:validation:MaxProperties=2
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// DedicatedNodes says whether a tenant's pods run on nodes of its own.
// +kubebuilder:validation:Enum=Disabled;Required
type DedicatedNodes string

const (
	// DedicatedNodesDisabled lets a tenant's pods run on any node of its region. It is the default.
	DedicatedNodesDisabled DedicatedNodes = "Disabled"
	// DedicatedNodesRequired keeps them to nodes of the region that carry the tenant's name in the label and in the taint
	// KeyDedicated.
	DedicatedNodesRequired DedicatedNodes = "Required"
)

// Isolation is how hard tenants are kept apart, beyond what always holds.
// +kubebuilder:validation:MinProperties=1
type Isolation struct {
	// runtimeClassName is the RuntimeClass of every tenant pod, for example a sandboxed one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	RuntimeClassName string `json:"runtimeClassName,omitempty"`

	// dedicatedNodes says whether a tenant's pods run only on nodes of its own, which carry its name in the label and
	// in the taint chattenant.io/dedicated. It defaults to Disabled.
	// +optional
	DedicatedNodes DedicatedNodes `json:"dedicatedNodes,omitempty"`

	// probeEveryHours is the time between two isolation probes of a tenant, in hours. It defaults to 24. A tenant is also
	// probed when it was created and when its network policies changed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=168
	ProbeEveryHours int32 `json:"probeEveryHours,omitempty"`
}

// ExposureMode is how endpoints are reached.
// +kubebuilder:validation:Enum=IngressGateway;GatewayAPI;LoadBalancer;None
type ExposureMode string

// How endpoints are reached.
const (
	// ExposureIngressGateway is ChatTenant's own gateway, which routes TLS by name without reading it.
	ExposureIngressGateway ExposureMode = "IngressGateway"
	// ExposureGatewayAPI is a TLSRoute of the Gateway API.
	ExposureGatewayAPI ExposureMode = "GatewayAPI"
	// ExposureLoadBalancer is a load balancer per tenant.
	ExposureLoadBalancer ExposureMode = "LoadBalancer"
	// ExposureNone leaves the way in to the platform.
	ExposureNone ExposureMode = "None"
)

// Exposure is how endpoints are reached.
// +kubebuilder:validation:XValidation:rule="self.mode == 'IngressGateway'",message="this release reaches tenants through the ingress gateway only: set exposure.mode to IngressGateway"
type Exposure struct {
	// mode is how endpoints are reached.
	// +required
	Mode ExposureMode `json:"mode,omitempty"`
}

// Rollout is how image changes reach tenants.
type Rollout struct {
	// maxConcurrent is the number of tenants that change at the same time.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxConcurrent int32 `json:"maxConcurrent,omitempty"`
}

// ChatTenantClass is to ChatTenants what a StorageClass is to volumes: the platform team's decisions, made once.
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=chattenant-io,shortName=ctc
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuerRef.name`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.spec.database.engine`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.spec.chatServer.replicas`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters"
// +kubebuilder:validation:XValidation:rule="self.spec.database.engine != 'Standalone' || has(self.spec.images.postgres)",message="images.postgres is required for the Standalone engine"
type ChatTenantClass struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the class decides.
	// +required
	Spec ChatTenantClassSpec `json:"spec,omitzero"`
}

// ChatTenantClassList is a list of ChatTenantClasses.
// +kubebuilder:object:root=true
type ChatTenantClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []ChatTenantClass `json:"items"`
}
