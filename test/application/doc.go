// Package application builds an application outside of the workspace that imports the
// client, as its users do, and holds what that costs it: the module graph, the version of
// Go, and the systems that it can be built for.
package application
