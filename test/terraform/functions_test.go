package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform that the module calls. What the language's own library
// lacks is written here after Terraform's documentation.
func functions() map[string]function.Function {
	all := map[string]function.Function{
		"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
		"coalesce": stdlib.CoalesceFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
		"flatten": stdlib.FlattenFunc, "join": stdlib.JoinFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"keys": stdlib.KeysFunc, "length": stdlib.LengthFunc, "merge": stdlib.MergeFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
		"setsubtract": stdlib.SetSubtractFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "values": stdlib.ValuesFunc,
		"startswith": texts(2, func(args []string) (cty.Value, error) { return cty.BoolVal(strings.HasPrefix(args[0], args[1])), nil }),
		"endswith":   texts(2, func(args []string) (cty.Value, error) { return cty.BoolVal(strings.HasSuffix(args[0], args[1])), nil }),
		"replace":    texts(3, func(args []string) (cty.Value, error) { return replace(args[0], args[1], args[2]) }),
		"file": texts(1, func(args []string) (cty.Value, error) {
			text, err := os.ReadFile(args[0])
			return cty.StringVal(string(text)), err
		}),
		"fileset": texts(2, func(args []string) (cty.Value, error) {
			found, err := filepath.Glob(filepath.Join(args[0], args[1]))
			var names []cty.Value
			for _, name := range found {
				names = append(names, cty.StringVal(filepath.Base(name)))
			}
			if len(names) == 0 {
				return cty.SetValEmpty(cty.String), err
			}
			return cty.SetVal(names), err
		}),
	}
	all["alltrue"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, v := range args[0].AsValueSlice() {
				if v.False() {
					return cty.False, nil
				}
			}
			return cty.True, nil
		},
	})
	all["templatefile"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := os.ReadFile(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			template, problems := hclsyntax.ParseTemplate(text, args[0].AsString(), hcl.InitialPos)
			if problems.HasErrors() {
				return cty.NilVal, problems
			}
			value, problems := template.Value(&hcl.EvalContext{Variables: args[1].AsValueMap()})
			if problems.HasErrors() {
				return cty.NilVal, problems
			}
			return value, nil
		},
	})
	return all
}

// texts returns a function of texts.
func texts(count int, impl func([]string) (cty.Value, error)) function.Function {
	spec := &function.Spec{Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var all []string
		for _, a := range args {
			all = append(all, a.AsString())
		}
		return impl(all)
	}}
	spec.Type = func([]cty.Value) (cty.Type, error) { return cty.DynamicPseudoType, nil }
	for i := range count {
		spec.Params = append(spec.Params, function.Parameter{Name: fmt.Sprint("text", i), Type: cty.String})
	}
	return function.New(spec)
}

// replace is Terraform's: between slashes what is replaced is a regular expression.
func replace(text, old, by string) (cty.Value, error) {
	if len(old) > 1 && strings.HasPrefix(old, "/") && strings.HasSuffix(old, "/") {
		re, err := regexp.Compile(old[1 : len(old)-1])
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(re.ReplaceAllString(text, by)), nil
	}
	return cty.StringVal(strings.ReplaceAll(text, old, by)), nil
}
