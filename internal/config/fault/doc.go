// Package fault describes mistakes in what a person wrote: a configuration, a
// rubric, a schema, a condition. A [Fault] names the place, what is wrong and
// what was expected; a [List] holds all of one document, so that they can be
// mended in one go. [Nearest] finds the word that was probably meant.
package fault
