// Package jsonscan reads JSON token by token, in one pass and without recursion.
//
//	s := jsonscan.New(text, 0)
//	for t, ok := s.Next(); ok; t, ok = s.Next() {
//		switch t.Kind {
//		case jsonscan.Key:
//			name, err := jsonscan.Unquote(text[t.Start:t.End])
//			...
//		}
//	}
//	if !s.Whole() {
//		... // text is not JSON: s.Flaw() says why, s.Pos() where
//	}
//
// A text is a string or a []byte. [Scanner] reads one value and stops behind it, so
// that JSON can be read out of prose; [Scanner.Whole] reports whether that was all
// of the text. A [Token] holds byte offsets and never a copy. [Scanner.Depth] counts
// the arrays and objects that are open, [Scanner.Skip] passes over the rest of one,
// and [Unquote] decodes a string or a key.
//
// The scanner accepts exactly what [encoding/json.Valid] accepts (RFC 8259; a fuzz
// test compares the two), except that it has no limit of depth: a caller that
// recurses has to bound the depth itself. It keeps one byte for each open array or
// object, allocates nothing in the first 64 levels, and its time is linear.
//
// It decodes no values, finds no duplicate keys, repairs nothing and does not look
// at the range of numbers. It imports the standard library only, so that any
// package may use it.
package jsonscan
