// Package fault describes mistakes in text that people write: a configuration, a
// rubric, a schema, a condition. A [Fault] names the place, the problem and the
// expectation; a [List] holds all faults of one document, so that they can be fixed
// in one go. [Nearest] finds the word that was probably meant.
package fault
