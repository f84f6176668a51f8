// Package deploy tests the files of deploy/: the Helm chart is rendered by Helm's own
// engine, and what it renders is decoded strictly into the types of Kubernetes and of the
// Prometheus operator, and checked against the definitions of KEDA; compose.yaml is loaded
// as Docker Compose does; the image's files are built twice and its bill of materials is
// checked against CycloneDX' definition.
//
// It is a module of its own, because these libraries bring many modules that the worker
// does not need:
//
//	cd test/deploy && go test ./...
//
// Where a Docker engine answers, the image and compose.yaml are run as well; with
// EVALWORKER_TEST_REAL=required a missing one is a failure, with off it is not asked. No
// cluster is needed, and none is reached.
package deploy
