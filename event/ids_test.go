package event_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

func TestParseTraceID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want event.TraceID
		ok   bool
	}{
		{"123456789", event.TraceID{Lo: 123456789}, true},
		{"18446744073709551615", event.TraceID{Lo: 1<<64 - 1}, true},
		{"18446744073709551616", event.TraceID{Hi: 1}, true}, // 128 bits in decimal
		{"14576827793038113322513871894673895836", event.TraceID{Hi: 0x0af7651916cd43dd, Lo: 0x8448eb211c80319c}, true},
		{"340282366920938463463374607431768211455", event.TraceID{Hi: 1<<64 - 1, Lo: 1<<64 - 1}, true},
		{"340282366920938463463374607431768211456", event.TraceID{}, false},
		{"99999999999999999999999999999999999999999", event.TraceID{}, false},
		{"1234567890123456789x", event.TraceID{}, false},
		{"0234567890123456", event.TraceID{Lo: 0x0234567890123456}, true}, // decimal numbers are not padded
		{"1234567890123456", event.TraceID{Lo: 1234567890123456}, true},   // sixteen bare digits are decimal
		{"8448eb211c80319c", event.TraceID{Lo: 0x8448eb211c80319c}, true},
		{"0af7651916cd43dd8448eb211c80319c", event.TraceID{Hi: 0x0af7651916cd43dd, Lo: 0x8448eb211c80319c}, true},
		{"0AF7651916CD43DD8448EB211C80319C", event.TraceID{Hi: 0x0af7651916cd43dd, Lo: 0x8448eb211c80319c}, true},
		{"00000000000000000000000000000000", event.TraceID{}, false},
		{"0", event.TraceID{}, false},
		{"", event.TraceID{}, false},
		{"-5", event.TraceID{}, false},
		{"trace-abc", event.TraceID{}, false},
		{"zaf7651916cd43dd8448eb211c80319c", event.TraceID{}, false},
		{"000000X0000000000000000000000001", event.TraceID{}, false},
		{"0x", event.TraceID{}, false},
		{"abc", event.TraceID{}, false}, // a word
		{"0x10af7651916cd43dd8448eb211c80319c", event.TraceID{}, false},
		{"0af76519-16cd-43dd-8448_eb211c80319c", event.TraceID{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, ok := event.ParseTraceID(tt.in)
			if ok != tt.ok || got != tt.want { // an id that cannot be read is zero, not half an id
				t.Errorf("ParseTraceID(%q) = %v, %t; want %v, %t", tt.in, got, ok, tt.want, tt.ok)
			}
			if ok && len(tt.in) == 32 {
				if again, _ := event.ParseTraceID([]byte(got.String())); again != got {
					t.Errorf("String returns %q, which is read as %v", got, again)
				}
			}
		})
	}
}

func TestParseTraceparent(t *testing.T) {
	t.Parallel()
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	trace, span, ok := event.ParseTraceparent(good)
	if !ok || trace.String() != "0af7651916cd43dd8448eb211c80319c" || uint64(span) != 0xb7ad6b7169203331 {
		t.Errorf("ParseTraceparent(%q) = %v, %v, %t", good, trace, span, ok)
	}
	for _, bad := range []string{
		"", good[:54], "ff" + good[2:], "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
	} {
		if _, _, ok := event.ParseTraceparent(bad); ok {
			t.Errorf("ParseTraceparent(%q) is accepted", bad)
		}
	}
	if _, _, ok := event.ParseTraceparent(good + "," + good); ok {
		t.Error("two are read as one")
	}
	if _, _, ok := event.ParseTraceparent("01" + good[2:] + "-later"); !ok {
		t.Error("a later version with more fields is refused")
	}
}

// TestOriginPreference: propagation headers are exact; logged ids often lost
// their upper half.
func TestOriginPreference(t *testing.T) {
	t.Parallel()
	e := event.Event{TraceID: "7", SpanID: "8", TraceContext: event.TraceContext{
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-datadog-trace-id": "5", "x-datadog-parent-id": "6",
	}}
	if trace, span := e.Origin(); trace.Hi == 0 || span != 0xb7ad6b7169203331 {
		t.Errorf("origin = %v %v, want that of traceparent", trace, span)
	}
	delete(e.TraceContext, "Traceparent")
	if trace, span := e.Origin(); trace.Lo != 5 || span != 6 {
		t.Errorf("origin = %v %v, want that of the Datadog headers", trace, span)
	}
	for tags, want := range map[string]uint64{
		"_dd.p.tid=0af7651916cd43dd":                            0x0af7651916cd43dd,
		"_dd.p.dm=-1,_dd.p.tid=0af7651916cd43dd,_dd.p.usr.id=x": 0x0af7651916cd43dd,
		"":                             0,
		"_dd.p.tid=0af7651916cd43d":    0, // too short
		"_dd.p.tid=0af7651916cd43ddff": 0, // too long
		"_dd.p.tid=zaf7651916cd43dd":   0,
		"x_dd.p.tid=0af7651916cd43dd,": 0,
	} {
		e.TraceContext["x-datadog-tags"] = tags
		if trace, _ := e.Origin(); trace != (event.TraceID{Hi: want, Lo: 5}) {
			t.Errorf("trace with tags %q = %v, want the upper half %x", tags, trace, want)
		}
		e.Kind, e.RequestID = event.KindRequestCompleted, "r"
		if env, _ := event.EnvelopeFromHeaders(e.Headers()); env.Trace != e.Envelope().Trace {
			t.Errorf("headers with tags %q name %v, the body %v", tags, env.Trace, e.Envelope().Trace)
		}
	}
	e.TraceContext = nil
	if trace, span := e.Origin(); trace.Lo != 7 || span != 8 {
		t.Errorf("origin = %v %v, want that of the fields", trace, span)
	}
}

var (
	prefixed = regexp.MustCompile(`^0[xX]([0-9a-fA-F]{1,32})$`)
	uuid     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// plainID is ParseTraceID written with the standard library.
func plainID(s []byte) (id event.TraceID) {
	padded := len(s) == 16 && s[0] == '0'
	if n, ok := new(big.Int).SetString(string(s), 10); ok && !padded && len(s) <= 39 && len(s) != 32 && n.BitLen() <= 128 && !bytes.ContainsAny(s, "+-_") {
		lo := new(big.Int).And(n, new(big.Int).SetUint64(1<<64-1)).Uint64()
		return event.TraceID{Hi: n.Rsh(n, 64).Uint64(), Lo: lo}
	}
	if trimmed := bytes.TrimSpace(s); len(trimmed) < len(s) {
		return plainID(trimmed)
	}
	digits := string(s)
	prefix := prefixed.FindStringSubmatch(digits)
	switch {
	case prefix != nil:
		digits = prefix[1]
	case uuid.MatchString(digits):
		digits = strings.ReplaceAll(digits, "-", "")
	case !slices.Contains([]int{14, 15, 16, 30, 31, 32}, len(digits)):
		return event.TraceID{}
	}
	return plainHex(strings.Repeat("0", 32-len(digits)) + digits)
}

// plainHex reads 32 hexadecimal digits.
func plainHex(digits string) event.TraceID {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return event.TraceID{}
	}
	return event.TraceID{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}

// TestIDsByteByByte puts every byte in every place of the usual forms.
func TestIDsByteByByte(t *testing.T) {
	t.Parallel()
	parent := []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	for _, form := range [][]byte{parent, parent[3:35], parent[3:19], []byte("1234567890123456789"), []byte("12345678901234567890"), []byte("14576827793038113322513871894673895836"), []byte("0af76519-16cd-43dd-8448-eb211c80319c"), []byte("0xaf7651916cd43dd"), []byte("af7651916cd43dd")} {
		for i := range form {
			for c := range 256 {
				s := slices.Clone(form)
				s[i] = byte(c) // below 256
				if len(form) != len(parent) {
					if got, _ := event.ParseTraceID(s); got != plainID(s) {
						t.Fatalf("ParseTraceID(%q) = %v, want %v", s, got, plainID(s))
					}
					continue
				}
				var want event.TraceID
				span := plainHex("0000000000000000" + string(s[36:52]))
				if s[2] == '-' && s[35] == '-' && s[52] == '-' && span.Lo != 0 {
					want = plainHex(string(s[3:35]))
				}
				if want.IsZero() {
					span = want
				}
				if trace, id, _ := event.ParseTraceparent(s); trace != want || uint64(id) != span.Lo {
					t.Fatalf("ParseTraceparent(%q) = %v, %v; want %v, %d", s, trace, id, want, span.Lo)
				}
			}
		}
	}
}

// FuzzIDs compares ParseTraceID with plainID.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"18446744073709551615", "8448eb211c80319c", "0000000000000000g", "000000X0000000000000000000000001", "0AF7651916cd43dd8448eb211c80319c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		got, ok := event.ParseTraceID(s)
		if again, _ := event.ParseTraceID(string(s)); got != plainID(s) || again != got || ok == got.IsZero() {
			t.Errorf("ParseTraceID(%q) = %v, %t; want %v", s, got, ok, plainID(s))
		}
	})
}
