package validators

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Validate reports everything that is wrong with the configuration of one
// validator, save what only [New] can know: whether the schema exists.
func (c Config) Validate() fault.List {
	var faults fault.List
	k, ok := lookup(c.Type)
	if !ok {
		var names []string
		for _, k := range Kinds() {
			names = append(names, k.Name)
		}
		problem := "missing"
		if c.Type != "" {
			problem = "unknown type " + strconv.Quote(c.Type)
		}
		faults.Add("type", problem, meant(c.Type, names))
		return faults
	}
	for _, option := range c.set() {
		if !slices.Contains(k.Options, option) {
			expected := "it takes no options"
			if len(k.Options) > 0 {
				expected = "it takes " + strings.Join(k.Options, ", ")
			}
			faults.Add(option, "no option of "+k.Name, expected)
		}
	}
	return append(faults, k.check(c)...)
}

// set gives the keys of the options that are not at their zero value.
func (c Config) set() []string {
	var keys []string
	v := reflect.ValueOf(c)
	for f, value := range v.Fields() {
		key := f.Tag.Get("yaml")
		if key != "-" && !value.IsZero() {
			keys = append(keys, key)
		}
	}
	return keys
}

// positive reports an option that is not a finite number above zero.
func positive[N int64 | float64](faults *fault.List, path string, n *N) {
	if n == nil {
		return
	}
	f := float64(*n)
	if fine := f > 0 && !math.IsInf(f, 0); !fine { // NaN is not fine
		faults.Add(path, "is not above zero", "want a number above 0")
	}
}

// phrases reports empty phrases of a list.
func phrases(faults *fault.List, path string, list []string) {
	for i, p := range list {
		if strings.TrimSpace(p) == "" {
			faults.Add(path+"["+itoa(i)+"]", "empty", "want a text that is not blank")
		}
	}
}
