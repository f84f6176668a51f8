// Package site knows the domains of Datadog's sites.
//
// Keys go to the host that DD_SITE names. A slip of the pen must not send them to whoever
// owns another domain, so both that read the variable, the commands and the exporter of
// evaluations, take no domain but Datadog's.
package site
