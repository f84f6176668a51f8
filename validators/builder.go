package validators

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// builder holds the options that the build function of a kind reads, and collects
// their faults. When there are faults, the answer that was built is not used.
type builder struct {
	Config
	schemas   *Schemas
	checkOnly bool // the schemas are not known
	faults    fault.List
	digest    string // of inputs that decide verdicts and are not options, such as schemas
}

// Validate reports everything that is wrong with the configuration of one
// validator, except what only [New] can know: whether the schema exists.
func (c Config) Validate() fault.List {
	b := builder{Config: c, checkOnly: true}
	b.build()
	return b.faults
}

// build builds the answer of the configured kind.
func (b *builder) build() (kind, answer) {
	k, ok := lookup(b.Type)
	if !ok {
		var names []string
		for _, k := range Kinds() {
			names = append(names, k.Name)
		}
		problem := "missing"
		if b.Type != "" {
			problem = "unknown type " + strconv.Quote(b.Type)
		}
		b.faults.Add("type", problem, fault.Suggest(b.Type, names, noNames))
		return k, nil
	}
	for field, value := range reflect.ValueOf(b.Config).Fields() {
		option := field.Tag.Get("yaml")
		if option == "-" || value.IsZero() || slices.Contains(k.Options, option) {
			continue
		}
		expected := "it takes no options"
		if len(k.Options) > 0 {
			expected = "it takes " + strings.Join(k.Options, ", ")
		}
		b.faults.Add(option, "no option of "+k.Name, expected)
	}
	return k, k.build(b)
}

// noNames is what to do where no name would be right.
const noNames = "there are none"

// checkPositive reports an option that is not a finite number above zero.
func checkPositive[N int64 | float64](b *builder, path string, n *N) {
	if n == nil {
		return
	}
	f := float64(*n)
	if fine := f > 0 && !math.IsInf(f, 0); !fine { // NaN is not fine
		b.faults.Add(path, "is not above zero", "want a number above 0")
	}
}

// checkPhrases reports the blank phrases in a list.
func (b *builder) checkPhrases(path string, list []string) {
	for i, p := range list {
		if strings.TrimSpace(plain(p)) == "" {
			b.faults.Add(path+"["+strconv.Itoa(i)+"]", "empty", "want a text that is not blank")
		}
	}
}

// maxPattern bounds a configured expression, in bytes. An RE2 search takes time
// linear in the text, but multiplied by the size of the compiled expression, and a
// short expression can be large: x{1000}.
const maxPattern = 4096

// compilePattern returns a configured expression; nil when it has a fault.
func (b *builder) compilePattern(path, pattern string) *regexp.Regexp {
	if len(pattern) > maxPattern {
		b.faults.Add(path, strconv.Itoa(len(pattern))+" bytes are too many", "want at most "+strconv.Itoa(maxPattern))
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		expected := "want RE2 syntax, https://github.com/google/re2/wiki/Syntax"
		for _, perl := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
			if strings.Contains(pattern, perl) {
				expected = "RE2 has no look-around: it would not be linear; use negate, or a second validator"
			}
		}
		b.faults.Add(path, strings.TrimPrefix(err.Error(), "error parsing regexp: "), expected)
	}
	return re
}
