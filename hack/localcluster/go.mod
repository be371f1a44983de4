// The driver of the local cluster. It compiles in seconds: everything heavy is in build/.
module github.com/chattenant/chattenant/hack/localcluster

go 1.26.0

require (
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/net v0.61.0
	k8s.io/utils v0.0.0-20260707023825-cf1189d6abe3
)
