// Package datadog decodes the dashboards and monitors of deploy/datadog strictly into the
// types of Datadog's own Go client, which say which fields there are, which a widget
// needs and which values a field may have.
//
// It is a module of its own, because the client takes minutes to compile and the worker
// does not need it:
//
//	cd test/datadog && go test ./...
//
// Nothing is sent to Datadog. What the client's types do not know, such as the language
// of queries, is checked by deploy/datadog/lint.
package datadog
