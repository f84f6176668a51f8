// Package deploy tests the files of deploy/: the Helm chart is rendered by Helm's own
// engine, and what it renders is decoded strictly into Kubernetes' own types and checked
// against the definitions of KEDA.
//
// It is a module of its own, because Helm and Kubernetes bring many modules that the
// worker does not need:
//
//	cd test/deploy && go test ./...
//
// No cluster is needed, and none is reached.
package deploy
