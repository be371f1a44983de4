# ChatTenant. `make` alone says what can be made.
#
# Recipes are short on purpose: what needs more than a line or two is a program or a script under hack/.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-builtin-rules

# Where the cluster targets act: local (made on this machine, needs root), kind, or current (your kubectl context).
CLUSTER ?= local
export CLUSTER

# Images that `make images` writes, as archives, to IMAGE_DIR.
IMAGES    ?= operator gateway chatserver postgres
IMAGE_DIR ?= out/images

WEB     := chatserver/web/app
BINDIR  := $(CURDIR)/bin
PATH    := $(BINDIR):$(PATH)
export PATH

# Without cgo every build and test shares one cache of compiled packages; only the race detector needs cgo.
export CGO_ENABLED ?= 0

##@ Start here

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

.PHONY: demo
demo: ## Bring up a cluster, install ChatTenant and chat through two tenants (quick when repeated)
	hack/prerequisites.sh demo
	go run ./hack/demo

.PHONY: test
test: test-prerequisites lint checks unit test-api test-postgres test-vault test-chaos test-web ## Run every check and test, in the end on a real cluster
	hack/localcluster/cluster.sh borrow $(MAKE) e2e demo

.PHONY: test-prerequisites
test-prerequisites:
	hack/prerequisites.sh test

##@ Build

.PHONY: build
build: web ## Build the programs into bin/
	go build -o bin/ ./cmd/...
	go -C kms build -o $(BINDIR)/kms .

.PHONY: web
web: $(WEB)/node_modules/.package-lock.json ## Build the widget and the console
	npm --prefix $(WEB) run build

.PHONY: images
images: web ## Write the images as archives to out/images
	go -C hack/images run . --out $(abspath $(IMAGE_DIR)) $(IMAGES)

##@ Develop

.PHONY: generate
generate: bin/controller-gen ## Regenerate code from the API types
	controller-gen object:headerFile=hack/boilerplate.go.txt \
	  applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/v1alpha1

.PHONY: manifests
manifests: bin/controller-gen ## Regenerate CRDs, the operator's role and the chart's generated templates
	controller-gen crd paths=./api/v1alpha1 output:crd:dir=config/crd/bases
	controller-gen rbac:roleName=chattenant-operator,fileName=operator_role.yaml,headerFile=hack/boilerplate.yaml.txt \
	  paths='./controllers/...;./cmd/operator' output:rbac:dir=config/rbac
	go run ./hack/chart

.PHONY: fmt
fmt: bin/golangci-lint ## Format the Go code
	golangci-lint fmt

.PHONY: checks
checks: ## Fail if generated files are not what their sources say
	hack/lint/drift.sh

##@ Lint

.PHONY: lint
lint: lint-go lint-api lint-shell lint-web lint-chart ## Run every linter

.PHONY: lint-go
lint-go: bin/golangci-lint ## Lint the Go code
	golangci-lint run
	cd kms && golangci-lint run --build-tags=kmsdouble
	cd kms && golangci-lint run
	cd hack/bench && golangci-lint run

.PHONY: lint-api
lint-api: bin/golangci-lint ## Lint the API types against the Kubernetes API conventions
	golangci-lint run --config hack/lint/api.yaml ./api/v1alpha1

.PHONY: lint-shell
lint-shell: ## Lint the shell scripts
	git ls-files -z '*.sh' .ci/run | xargs -0 --no-run-if-empty shellcheck

.PHONY: lint-web
lint-web: $(WEB)/node_modules/.package-lock.json ## Lint and type-check the widget and the console
	npm --prefix $(WEB) run lint
	npm --prefix $(WEB) run check

.PHONY: lint-chart
lint-chart: bin/helm ## Lint the chart
	helm lint --strict charts/chattenant --values charts/chattenant/ci/values.yaml

##@ Test

.PHONY: unit
unit: ## Run the unit and golden tests; the data path also under the race detector
	go test ./api/... ./controllers/... ./hack/... ./cmd/operator ./test/netpol ./test/netprobe/... ./test/freeport ./test/chaos/link ./test/chaos/oracle
	CGO_ENABLED=1 go test -race ./gateway/... ./cmd/gateway
	go -C hack/localcluster test ./...
	go -C hack/images test ./...
	go -C kms test -parallel=8 ./...

.PHONY: test-api
test-api: bin/helm bin/kustomize ## Test CRDs, admission, RBAC and chart against a real API server
	hack/lint/with-kube-binaries.sh go test -tags apiserver -timeout=30m -parallel=8 ./test/api/... ./controllers/...

.PHONY: crash
crash: ## Let every single write of the operator fail in every way, and two operators act in many orders
	hack/lint/with-kube-binaries.sh go test -tags apiserver -timeout=90m -v -run "LeavesNoTrace|ComeToTheSame" ./controllers/tenant -crash.stride=1 -interleave.for=10m

.PHONY: mutation
mutation: ## Leave out each clause of the admission policies and see that a test misses it (MUTATE=regular expression of names)
	hack/lint/with-kube-binaries.sh go test -tags apiserver -timeout=60m -v -run EveryClauseOfThePolicies ./test/api -mutate='$(MUTATE)'

MUTATE ?= .

.PHONY: test-postgres
test-postgres: ## Test the chat server, its bench and the database's set-up against a real PostgreSQL
	CGO_ENABLED=1 go test -race -p=4 ./chatserver/... ./cmd/chatserver
	go -C hack/bench test ./...
	go test -tags postgres ./controllers/desired

.PHONY: test-vault
test-vault: ## Test the provider of Vault's transit engine, and what is rendered for it, against a real Vault, built from source
	go test -tags vault -count=1 -timeout=40m -run Vault ./chatserver/seal/kek ./test/keyservice

.PHONY: test-chaos
test-chaos: ## Break chat servers and PostgreSQL for a minute and check that nothing acknowledged is lost
	go test -tags chaos -run Chaos -count=1 ./test/chaos -chaos.duration=60s -chaos.faults=25

.PHONY: chaos
chaos: ## The same with 120 faults, from a seed that it prints
	go test -tags chaos -v -run Chaos -count=1 -timeout=60m ./test/chaos -chaos.duration=6m -chaos.faults=120

# Their seeds are part of the other tests; this looks for new inputs.
FUZZTIME ?= 20s

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	hack/fuzz.sh $(FUZZTIME)

.PHONY: test-web
test-web: web ## Test the widget and the console, also in a real browser
	npm --prefix $(WEB) run test
	npm --prefix $(WEB) run test:browser

# Tests of the cluster mostly wait for it, so more of them run at a time than there are processors.
.PHONY: e2e
e2e: ## Test the whole product on the cluster
	go run ./hack/demo install
	KUBECONFIG="$$(hack/localcluster/cluster.sh kubeconfig)" go test -tags e2e -count=1 -parallel=6 -timeout=40m ./test/e2e/...

# What proves nothing about isolation is left out: conversations, repairs, browsers, mistakes in manifests.
NOT_ISOLATION := Acknowledged|ARealBrowser|BadInput|Conver|DeletedTenant|FurtherTenant|HandEdit|Kubectl|MessageGoes|OneServer|Paused|Retain|Restart|SecondPass|NeverShareAVolume

.PHONY: e2e-isolation
e2e-isolation: ## Prove isolation with six tenants in two regions, and print the report (out/isolation-report.txt, .json)
	go run ./hack/demo install
	KUBECONFIG="$$(hack/localcluster/cluster.sh kubeconfig)" go test -tags e2e -count=1 -parallel=6 -timeout=40m -skip '$(NOT_ISOLATION)' ./test/e2e -isolation.report=out/isolation-report.txt
	cat out/isolation-report.txt

.PHONY: bench-chat
bench-chat: ## Measure the chat server against other ways to do the same (BENCH=flags, quiet machine)
	go -C hack/bench run ./chat $(BENCH)

.PHONY: footprint
footprint: ## Print the memory of operator, gateway and one tenant's pods
	go run ./hack/footprint

##@ Cluster (CLUSTER=local, kind or current)

.PHONY: cluster-up
cluster-up: ## Bring up a cluster with two regions (idempotent)
	hack/localcluster/cluster.sh up

.PHONY: cluster-down
cluster-down: ## Remove that cluster and everything it left
	hack/localcluster/cluster.sh down

.PHONY: kubeconfig
kubeconfig: ## Print the path of that cluster's kubeconfig
	@hack/localcluster/cluster.sh kubeconfig

##@ Tools

# A tool is rebuilt when the versions it is pinned to change, and only then.
.PHONY: tools
tools: bin/controller-gen bin/kustomize bin/golangci-lint bin/helm ## Build the development tools into bin/

bin/controller-gen: hack/tools/go.sum
	go -C hack/tools build -o $(CURDIR)/$@ sigs.k8s.io/controller-tools/cmd/controller-gen

bin/kustomize: hack/tools/go.sum
	go -C hack/tools build -o $(CURDIR)/$@ sigs.k8s.io/kustomize/kustomize/v5

bin/golangci-lint: hack/tools/lint/go.sum
	go -C hack/tools/lint build -o $(CURDIR)/$@ sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter

bin/helm: hack/tools/helm/go.sum
	go -C hack/tools/helm build -o $(CURDIR)/$@ helm.sh/helm/v4/cmd/helm

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	npm --prefix $(WEB) ci
	touch $@
