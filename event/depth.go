package event

import (
	"bytes"
	"fmt"
)

// MaxDepth bounds how deep the arrays and objects of an event may lie in each
// other. What is read of an event later is read by functions that call
// themselves once a level; no model or application nests a fraction of this.
const MaxDepth = 512

// errTooDeep is the fault of an event beyond MaxDepth.
func errTooDeep(at int) error {
	return fmt.Errorf("nested more than %d deep at byte %d", MaxDepth, at)
}

// tooDeep finds the byte at which data, JSON or not, goes beyond MaxDepth. Almost
// every event has fewer brackets than that in all, which counting them tells at
// the speed of memory.
func tooDeep(data []byte) (at int, deep bool) {
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= MaxDepth {
		return 0, false
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return i + 1, true
			}
		case '}', ']':
			depth--
		case '"':
			i = closingQuote(data, i+1)
		}
	}
	return 0, false
}

// closingQuote gives the place of the quote that ends the string which begins
// at i, or the length of data.
func closingQuote(data []byte, i int) int {
	for i < len(data) {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return len(data)
		}
		i += next
		escapes := 0
		for i-escapes > 0 && data[i-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
		i++
	}
	return len(data)
}
