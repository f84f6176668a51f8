// Package base is the root of what the client for applications shares with the programs,
// in a module of its own, so that an application does not pay for what the worker needs.
//
// Its packages promise nothing to anyone else, and change with the programs. The modules
// event, emitter, redact and internal/base therefore have one version: each requires the
// others at its own, so that an application that upgrades one of them upgrades all.
package base
