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
// A text is a string or a []byte. [Scanner] reads one value and stops after it, so
// that JSON can be read out of prose; [Scanner.Whole] reports whether that was the
// whole text. A [Token] holds byte offsets and never a copy. [Scanner.Depth] counts
// the open arrays and objects, [Scanner.Skip] skips the rest of one, [Unquote]
// decodes a string or a key, and [AppendQuoted] writes one.
//
// The scanner accepts exactly what [encoding/json.Valid] accepts (RFC 8259; a fuzz
// test compares the two), except that it does not limit the depth: a caller that
// recurses has to do so itself. It keeps one byte for each open array or object,
// allocates nothing in the first 64 levels, and takes linear time.
//
// It does not decode values, find duplicate keys, repair anything or check the range
// of numbers. It imports only the standard library, so that any package may use it.
package jsonscan
