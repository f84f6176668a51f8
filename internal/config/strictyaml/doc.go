// Package strictyaml reads YAML that people write and reports all its faults in one
// go.
//
// [Decode] fills a struct whose defaults are already set. It guesses nothing: an
// unknown key, a key set twice, a value of the wrong type, a duration without a
// unit and a number out of range are faults, each with file, line, column, path
// and how to fix it. Only a syntax error is reported alone, because nothing after
// it can be read. The [Document] that it returns finds the places of faults that
// are found later, when the values are checked.
//
//	cfg := DefaultConfig()
//	doc, faults := strictyaml.Decode("judge.yaml", data, &cfg)
//	faults = append(faults, doc.Locate(cfg.Validate())...)
//
// The input is bounded: one document of at most [MaxBytes], nested at most
// [MaxDepth] deep, holding at most [MaxValues] values after aliases are followed.
// A fault repeats keys and types but no value, except for a duration that cannot
// be read, so a secret in the wrong place does not leak.
package strictyaml
