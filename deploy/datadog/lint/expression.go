package lint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An expression is what a query computes. It is one of number, text, reference,
// *metric, *function and *operation.
type expression any

type (
	number    string // as it is written
	text      string // a quoted argument of a function
	reference string // the name of a query, in a formula
)

// function is a call such as default_zero(...). An argument NAME=VALUE stands in args
// as its value.
type function struct {
	name string
	args []expression
}

// operation is left op right, where op is one of + - * /. A sign is 0 - right.
type operation struct {
	op          byte
	left, right expression
}

// metric is AGGREGATION:NAME{FILTERS} by {TAGS}.METHOD()...
type metric struct {
	aggregation string
	name        string
	filters     []filter
	by          []string
	methods     []method
}

// method is a call behind a metric, such as .rollup(sum, 60).
type method struct {
	name string
	args []string
}

// has reports whether a method is called on the metric.
func (m *metric) has(name string) bool {
	return slices.ContainsFunc(m.methods, func(c method) bool { return c.name == name })
}

// metricsOf returns the metrics of an expression, from left to right.
func metricsOf(e expression) []*metric {
	switch e := e.(type) {
	case *metric:
		return []*metric{e}
	case *function:
		var all []*metric
		for _, arg := range e.args {
			all = append(all, metricsOf(arg)...)
		}
		return all
	case *operation:
		return append(metricsOf(e.left), metricsOf(e.right)...)
	}
	return nil
}

// referencesOf returns the names of queries in a formula, from left to right.
func referencesOf(e expression) []string {
	switch e := e.(type) {
	case reference:
		return []string{string(e)}
	case *function:
		var all []string
		for _, arg := range e.args {
			all = append(all, referencesOf(arg)...)
		}
		return all
	case *operation:
		return append(referencesOf(e.left), referencesOf(e.right)...)
	}
	return nil
}

// parseExpression parses a query or a formula.
func parseExpression(s string) (expression, error) {
	p := &parser{text: s}
	e, err := p.expression()
	if err == nil && !p.end() {
		err = p.want("an operator or the end")
	}
	return e, err
}

// parser reads a text from left to right.
type parser struct {
	text string
	at   int
}

// want returns an error that names the place where the parser stands.
func (p *parser) want(what string) error {
	rest := p.text[p.at:]
	if rest == "" {
		return fmt.Errorf("ends where it needs %s", what)
	}
	if len(rest) > 24 {
		rest = rest[:24] + "..."
	}
	return fmt.Errorf("at character %d, before `%s`, it needs %s", p.at+1, rest, what)
}

func (p *parser) space() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *parser) end() bool {
	p.space()
	return p.at == len(p.text)
}

// peek returns the next character after spaces; 0 at the end.
func (p *parser) peek() byte {
	if p.end() {
		return 0
	}
	return p.text[p.at]
}

// take takes a token if it is next.
func (p *parser) take(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

// need takes a token, or returns an error.
func (p *parser) need(token string) error {
	if !p.take(token) {
		return p.want("`" + token + "`")
	}
	return nil
}

// run takes the longest run of characters that ok accepts.
func (p *parser) run(ok func(c byte) bool) string {
	start := p.at
	for p.at < len(p.text) && ok(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }

func (p *parser) word() (string, error) {
	if !isLetter(p.peek()) {
		return "", p.want("a name")
	}
	return p.run(isWord), nil
}

func (p *parser) expression() (expression, error) {
	left, err := p.term()
	for err == nil {
		op := p.peek()
		if op != '+' && op != '-' {
			return left, nil
		}
		p.at++
		var right expression
		right, err = p.term()
		left = &operation{op, left, right}
	}
	return nil, err
}

func (p *parser) term() (expression, error) {
	left, err := p.factor()
	for err == nil {
		op := p.peek()
		if op != '*' && op != '/' {
			return left, nil
		}
		p.at++
		var right expression
		right, err = p.factor()
		left = &operation{op, left, right}
	}
	return nil, err
}

func (p *parser) factor() (expression, error) {
	switch c := p.peek(); {
	case c == '(':
		p.at++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		return e, p.need(")")
	case c == '-':
		p.at++
		e, err := p.factor()
		return &operation{'-', number("0"), e}, err
	case isDigit(c):
		return number(p.run(func(c byte) bool { return isDigit(c) || c == '.' })), nil
	case c == '"' || c == '\'':
		return p.quoted(c)
	case !isLetter(c):
		return nil, p.want("a metric, a function or a number")
	}
	name := p.run(isWord)
	switch {
	case strings.HasPrefix(p.text[p.at:], ":"):
		p.at++
		return p.metric(name)
	case p.take("("):
		return p.function(name)
	}
	return reference(name), nil
}

func (p *parser) quoted(quote byte) (expression, error) {
	p.at++
	s := p.run(func(c byte) bool { return c != quote })
	return text(s), p.need(string(quote))
}

func (p *parser) function(name string) (expression, error) {
	f := &function{name: name}
	for {
		arg, err := p.argument()
		if err != nil {
			return nil, err
		}
		f.args = append(f.args, arg)
		if !p.take(",") {
			return f, p.need(")")
		}
	}
}

// argument reads an expression, or NAME=VALUE.
func (p *parser) argument() (expression, error) {
	start := p.at
	if isLetter(p.peek()) {
		p.run(isWord)
		if p.take("=") {
			return p.factor()
		}
		p.at = start
	}
	return p.expression()
}

func (p *parser) metric(aggregation string) (expression, error) {
	m := &metric{aggregation: aggregation}
	if p.at == len(p.text) || !isLetter(p.text[p.at]) {
		return nil, p.want("the name of a metric")
	}
	m.name = p.run(func(c byte) bool { return isWord(c) || c == '.' })
	err := p.need("{")
	if err == nil {
		m.filters, err = p.filters()
	}
	if err == nil {
		m.by, err = p.by()
	}
	for err == nil && p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		var c method
		c, err = p.method()
		m.methods = append(m.methods, c)
	}
	return m, err
}

// by reads the tags by which a metric is grouped, if it is.
func (p *parser) by() (tags []string, err error) {
	start := p.at
	if word := p.peek(); word != 'b' || !p.take("by") {
		p.at = start
		return nil, nil
	}
	if err := p.need("{"); err != nil {
		return nil, err
	}
	for {
		p.space()
		tag := p.run(func(c byte) bool { return isWord(c) || strings.IndexByte("-$", c) >= 0 })
		if tag == "" {
			return nil, p.want("a tag")
		}
		tags = append(tags, tag)
		if !p.take(",") {
			return tags, p.need("}")
		}
	}
}

func (p *parser) method() (c method, err error) {
	if c.name, err = p.word(); err != nil {
		return c, err
	}
	if err := p.need("("); err != nil {
		return c, err
	}
	if p.take(")") {
		return c, nil
	}
	for {
		p.space()
		arg := p.run(func(c byte) bool { return isWord(c) || strings.IndexByte(".-'\"", c) >= 0 })
		if arg == "" {
			return c, p.want("an argument")
		}
		c.args = append(c.args, arg)
		if !p.take(",") {
			return c, p.need(")")
		}
	}
}

// errMixed: Datadog reads either form, and not both in one pair of braces.
var errMixed = errors.New("joins filters by commas and by AND, OR or IN in one pair of braces: use one of them")
