package lint

import "strings"

// filter is one condition on a tag.
type filter struct {
	key    string   // empty when a template variable brings it
	values []string // as written; several for KEY IN (A, B)
	// variable is the name of a template variable in the filter, without its $.
	variable string
}

// filters reads what stands between the braces of a metric, with the closing one: *, a
// list with commas, or a condition with AND, OR, NOT and IN. An empty pair is refused:
// Datadog wants *.
func (p *parser) filters() ([]filter, error) {
	if p.take("*") {
		return nil, p.need("}")
	}
	c := condition{parser: p}
	if err := c.or(); err != nil {
		return nil, err
	}
	if c.words && c.commas {
		return nil, errMixed
	}
	return c.found, p.need("}")
}

// condition reads the conditions of one pair of braces.
type condition struct {
	*parser
	found         []filter
	words, commas bool
}

// keyword takes a word in capitals if it is next and stands alone.
func (c *condition) keyword(word string) bool {
	c.space()
	rest := c.text[c.at:]
	if !strings.HasPrefix(rest, word) || len(rest) > len(word) && rest[len(word)] != ' ' && rest[len(word)] != '(' {
		return false
	}
	c.at += len(word)
	c.words = true
	return true
}

// or reads conditions that are joined by commas, AND or OR. Which of them binds more
// does not matter to which tags there are.
func (c *condition) or() error {
	for {
		if err := c.one(); err != nil {
			return err
		}
		switch {
		case c.take(","):
			c.commas = true
		case c.keyword("AND"), c.keyword("OR"):
		default:
			return nil
		}
	}
}

func (c *condition) one() error {
	if c.keyword("NOT") || c.take("!") {
		return c.one()
	}
	if c.take("(") {
		if err := c.or(); err != nil {
			return err
		}
		return c.need(")")
	}
	if c.take("$") && !strings.HasPrefix(c.text[c.at:], "{") {
		name, err := c.word()
		c.found = append(c.found, filter{variable: name})
		return err
	}
	key := c.run(func(b byte) bool { return isWord(b) || b == '-' })
	if key == "" {
		return c.want("a filter such as env:prod, or `*` for all")
	}
	if c.keyword("NOT") || c.peek() == 'I' {
		return c.in(key)
	}
	if err := c.need(":"); err != nil {
		return err
	}
	value, err := c.value()
	f := filter{key: key, values: []string{value}}
	if name, ok := strings.CutPrefix(value, "$"); ok && !strings.HasPrefix(name, "{") {
		f.variable = strings.TrimSuffix(name, ".value")
	}
	c.found = append(c.found, f)
	return err
}

func (c *condition) in(key string) error {
	if !c.keyword("IN") {
		return c.want("IN (...)")
	}
	if err := c.need("("); err != nil {
		return err
	}
	f := filter{key: key}
	for {
		value, err := c.value()
		if err != nil {
			return err
		}
		f.values = append(f.values, value)
		if !c.take(",") {
			c.found = append(c.found, f)
			return c.need(")")
		}
	}
}

// value reads a tag's value. A placeholder such as ${env} is part of it.
func (c *condition) value() (string, error) {
	c.space()
	start, depth := c.at, 0
	for c.at < len(c.text) {
		switch b := c.text[c.at]; {
		case strings.HasPrefix(c.text[c.at:], "${"):
			depth++
		case b == '}' && depth > 0:
			depth--
		case strings.IndexByte(" ,(){}", b) >= 0 && depth == 0:
			if c.at == start {
				return "", c.want("a tag's value")
			}
			return c.text[start:c.at], nil
		}
		c.at++
	}
	return "", c.want("`}`")
}
