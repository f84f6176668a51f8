package redact_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/base/testdiff"
	"github.com/evalworker/evalworker/redact"
)

// alnum returns n characters that look random. Fixtures are built here, so that no
// scanner mistakes this file for a leak.
func alnum(n int) string {
	const letters = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xYz"
	return strings.Repeat(letters, n/len(letters)+1)[:n]
}

func upper(n int) string { return strings.Repeat("ABCDEFGH234567", n/14+1)[:n] }

func TestFind(t *testing.T) {
	t.Parallel()
	card := "4" + strings.Repeat("1", 15)
	tests := []struct {
		name, text string
		kind       string // of the only match; empty: none
		match      string // the sensitive part; empty: all after the first colon and space
	}{
		{"PEM", "key:\n-----BEGIN RSA " + "PRIVATE KEY-----\nabc\n-----END RSA " + "PRIVATE KEY-----\nend", "private_key", "-----BEGIN RSA " + "PRIVATE KEY-----\nabc\n-----END RSA " + "PRIVATE KEY-----"},
		{"PEM cut off", "x -----BEGIN " + "PRIVATE KEY-----\nabc", "private_key", "-----BEGIN " + "PRIVATE KEY-----\nabc"},
		{"public key", "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----", "", ""},
		{"AWS id", "id: AKIA" + upper(16), "aws_access_key", ""},
		{"AWS id in a word", "xAKIA" + upper(16), "", ""},
		{"AWS secret", "aws_secret_access_key = " + alnum(40), "aws_secret_key", alnum(40)},
		{"Google", "k: AIza" + alnum(35), "google_api_key", ""},
		{"GitHub", "t: ghp_" + alnum(36), "github_token", ""},
		{"GitHub too short", "t: ghp_" + alnum(20), "", ""},
		{"GitLab", "t: glpat-" + alnum(20), "gitlab_token", ""},
		{"Slack", "t: xoxb-" + alnum(24), "slack_token", ""},
		{"OpenAI", "t: sk-" + alnum(40), "openai_key", ""},
		{"OpenAI project", "t: sk-proj-" + alnum(40), "openai_key", ""},
		{"a hyphenated word is no key", "the sk-learn-and-all-its-many-friends package", "", ""},
		{"Anthropic", "t: sk-ant-" + alnum(40), "anthropic_key", ""},
		{"Stripe", "t: sk_" + "live_" + alnum(24), "stripe_key", ""},
		{"JWT", "t: eyJ" + alnum(20) + ".eyJ" + alnum(30) + "." + alnum(20), "jwt", ""},
		{"bearer", "Authorization: Bearer " + alnum(24), "authorization", alnum(24)},
		{"basic", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("bob:hunter2")), "authorization", base64.StdEncoding.EncodeToString([]byte("bob:hunter2"))},
		{"basic words", "basic training, basic English, Basic authentication", "", ""},
		{"bearer of news", "the bearer of this unexpectedly long letter", "", ""},
		{"URL", "see postgres://app:hunter22@db:5432/x", "url_password", "hunter22"},
		{"URL without one", "see https://example.com:8080/a@b", "", ""},
		{"assignment", `{"api_key": "` + alnum(20) + `"}`, "assigned_secret", alnum(20)},
		{"assignment in prose", "your password: will be sent to you", "", ""},
		{"token count", "max_tokens: 1024 and total_tokens: 12345678", "", ""},

		{"email", "mail: ana" + "@example.com", "email", ""},
		{"email in brackets", "<ana.b+c" + "@mail.example.co.uk>", "email", "ana.b+c" + "@mail.example.co.uk"},
		{"email in a URL", "https://x.example/out?email=ana.b%40" + "example.com&t=1", "email", "ana.b%40" + "example.com"},
		{"percent in a URL", "?q=100%40&r=a%40b", "", ""},
		{"handle", "ask @support at 10", "", ""},
		{"card", "card: " + card, "credit_card", ""},
		{"card in groups", "card: 4111 1111" + " 1111 1111", "credit_card", ""},
		{"card with a wrong digit", "card: " + card[:15] + "2", "", ""},
		{"long order number", "order 9" + strings.Repeat("0", 15), "", ""},
		{"IBAN", "to: DE89 3704 0044" + " 0532 0130 00", "iban", ""},
		{"IBAN with a wrong digit", "to: DE89370400440532013001", "", ""},
		{"IBAN before its bank's code", "IBAN AT61 1904 3002" + " 3457 3201 BIC BKAUATWW", "iban", "AT61 1904 3002" + " 3457 3201"},
		{"IBAN in one word before its bank's code", "IBAN AT611904300" + "234573201 BIC BKAUATWW", "iban", "AT611904300" + "234573201"},
		{"IBAN before an amount", "from ES91 2100 0418" + " 4502 0005 1332 EUR 20", "iban", "ES91 2100 0418" + " 4502 0005 1332"},
		{"IBAN before a year", "paid to SE45 5000 0000" + " 0583 9825 7466 2026", "iban", "SE45 5000 0000" + " 0583 9825 7466"},
		{"IBAN with letters in capitals", "GB82 WEST 1234" + " 5698 7654 32 SORT CODE", "iban", "GB82 WEST 1234" + " 5698 7654 32"},
		{"SSN", "ssn: 123-45" + "-6789", "us_ssn", ""},
		{"SSN never given out", "ssn: 000-45-6789", "", ""},
		{"phone", "tel: +49 30 " + "901820", "phone", ""},
		{"phone, American", "tel: (415) 555" + "-0132", "phone", ""},
		{"phone, dashes", "call 415-555" + "-0132 now", "phone", "415-555" + "-0132"},
		{"phone, two", "a +1 415 555 " + "0132.", "phone", "+1 415 555 " + "0132"},
		{"phone, French", "tel: 06 12 34" + " 56 78", "phone", ""},
		{"phone, French, in a sentence", "appelez le 01.42.34" + ".56.78. Merci", "phone", "01.42.34" + ".56.78"},
		{"numbers in pairs", "00 11 22 33 44, 01 02 03 04 05, 09 08 07 06 05 04, 12 06 12 34 56 78, 06 12 34 56 78 90, 06 12.34 56 78", "", ""},
		{"order number", "order 4155550132 and #10-4231-77", "", ""},
		{"dates", "from 2026-01-31 to 31.01.2026, 12:30:45, 2026-01-31T12:00:00Z", "", ""},
		{"version and time", "v1.2.3.4 at 12:30:45 in 10.5", "", ""},
		{"prices", "1,299.00 or 1.299,00 (20% off 100-200)", "", ""},
		{"IPv4", "host: 192.168." + "17.4", "ip_address", ""},
		{"IPv4 with a port", "from 203.0." + "113.9:443.", "ip_address", "203.0." + "113.9"},
		{"IPv4 in a URL", "http://203.0." + "113.9:8080/x", "ip_address", "203.0." + "113.9"},
		{"IPv4 out of range", "host 999.168.17.4", "", ""},
		{"IPv6", "host: 2001:db8::" + "8a2e:370:7334", "ip_address", ""},
		{"phone, American with its country", "call 1-800-555" + "-0199 now", "phone", "1-800-555" + "-0199"},
		{"IBAN behind capitals", "TO THE BANK: DE89370400440532013000 NOW", "iban", "DE89370400440532013000"},
		{"card behind a year", "in 2026 4111 1111" + " 1111 1111 again", "credit_card", "4111 1111" + " 1111 1111"},
		{"long token", "t: ghp_" + alnum(600), "github_token", ""},
		{"behind an escaped line break", `{"a":"line\nsk-` + alnum(30) + `"}`, "openai_key", "sk-" + alnum(30)},
		{"email behind an escaped line break", `line\nana` + "@example.com", "email", "ana" + "@example.com"},
		{"phone behind an escaped line break", `line\n415-555` + `-0132`, "phone", "415-555" + "-0132"},
		{"escaped quotes", `"{\"api_key\": \"` + alnum(20) + `\"}"`, "assigned_secret", alnum(20)},
		{"password that is a word, in quotes", `password: "correcthorse"`, "assigned_secret", "correcthorse"},
		{"password that is a word, assigned", "?user=a&password=correcthorse&x=y", "assigned_secret", "correcthorse"},
		{"password in documentation", `password="your_password" or password=****** or password=os.environ["P"]`, "", ""},
		{"card with no-break spaces", "card: 4111\u00a01111" + "\u00a01111\u00a01111", "credit_card", ""},
		{"card with narrow ones", "\u00ab\u202f4111\u202f1111" + "\u202f1111\u202f1111\u202f\u00bb", "credit_card", "4111\u202f1111" + "\u202f1111\u202f1111"},
		{"card in wide digits", "\u30ab\u30fc\u30c9: " + "\uff14" + strings.Repeat("\uff11", 15), "credit_card", ""},
		{"IBAN with no-break spaces", "to: DE89\u00a03704\u00a00044" + "\u00a00532\u00a00130\u00a000", "iban", ""},
		{"SSN with no-break hyphens", "ssn: 123\u201145" + "\u20116789", "us_ssn", ""},
		{"phone with no-break hyphens", "tel: 415\u2011555" + "\u20110132", "phone", ""},
		{"phone with thin spaces", "tel: +1\u2009415\u2009555" + "\u20090132", "phone", ""},
		{"phone before a dash", "call 415\u2013555" + "\u20130132\u2014or write", "phone", "415\u2013555" + "\u20130132"},
		{"email with a wide at sign", "\u3000mail: ana" + "\uff20example.com", "email", ""},
		{"years and amounts, typeset", "2010\u20132015, 1\u202f299\u202f000,50\u00a0\u20ac, \uff11\uff12\uff13", "", ""},
		{"nothing", "Your parcel left our warehouse on Monday.", "", ""},
	}
	d, err := redact.NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := d.Find(tt.text)
			if tt.kind == "" {
				for _, m := range got {
					t.Errorf("false alarm: %s in %q", m.Kind, tt.text[m.Start:m.End])
				}
				return
			}
			want := tt.match
			if want == "" {
				_, want, _ = strings.Cut(tt.text, ": ")
			}
			if len(got) != 1 || got[0].Kind != tt.kind || tt.text[got[0].Start:got[0].End] != want {
				t.Errorf("found %+v, want one %s at %q", got, tt.kind, want)
			}
		})
	}
}

func TestOrderAndOverlap(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector(nil, redact.Pattern{Name: "ticket", Pattern: `TICKET-(\d+)`})
	if err != nil {
		t.Fatal(err)
	}
	key := "sk-" + alnum(30)
	text := "TICKET-17 token=" + key + " mail b" + "@example.com"
	var got []string
	end := 0
	for _, m := range d.Find(text) {
		if m.Start < end {
			t.Errorf("%+v overlaps", m)
		}
		end = m.End
		got = append(got, m.Kind+" "+text[m.Start:m.End])
	}
	want := []string{"ticket 17", "openai_key " + key, "email b" + "@example.com"}
	if d := testdiff.Of(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestNeighbours: the text between two matches belongs to both.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{"415-555" + "-0132", "192.168." + "17.4", "4111 1111" + " 1111 1111", "AT61 1904 3002" + " 3457 3201", "a" + "@example.com", "sk-" + alnum(30)} {
		for _, between := range []string{" ", ", ", "\n", " / "} {
			text := strings.Repeat(one+between, 4)
			got := d.Find(text)
			if len(got) != 4 {
				t.Errorf("%q: found %+v, want 4", text, got)
			}
			for _, m := range got {
				if text[m.Start:m.End] != one {
					t.Errorf("%q: found %q", text, text[m.Start:m.End])
				}
			}
		}
	}
}

func TestFindField(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := "sk-" + alnum(30)
	tests := []struct{ name, value, want string }{
		{"password", "correct horse battery", "assigned_secret"},
		{"DB_PASSWORD", "x", "assigned_secret"},
		{"client-secret", "abc", "assigned_secret"},
		{"apiKeys", "abc", "assigned_secret"},
		{"api_key", key, "openai_key"},
		{"api_key", "it is " + key, "assigned_secret"},
		{"session_token", alnum(20), "assigned_secret"},
		{"token", "Thursday", ""},
		{"key", "order_id_17", ""},
		{"password", "", ""},
		{"note", "mail a" + "@example.com", "email"},
		{strings.Repeat("x", 1000) + "password", "y", ""},
	}
	for _, tt := range tests {
		got := d.FindField(tt.name, tt.value)
		switch {
		case tt.want == "" && len(got) == 0:
		case len(got) != 1 || got[0].Kind != tt.want:
			t.Errorf("%.20s=%q: %+v, want %q", tt.name, tt.value, got, tt.want)
		case tt.want != "email" && (got[0].Start != 0 || got[0].End != len(tt.value)):
			t.Errorf("%.20s=%q: %+v, want all of it", tt.name, tt.value, got)
		}
	}
	for name, want := range map[string]bool{"DB-Passwords": true, "credentials": true, "token": false, "": false, strings.Repeat("x", 1000) + "password": false} {
		if got := d.NamesSecret(name); got != want {
			t.Errorf("%.20s names a secret: %t", name, got)
		}
	}
	if d, err = redact.NewDetector([]string{"email"}); err != nil || len(d.FindField("password", "x")) != 0 || d.NamesSecret("password") {
		t.Errorf("a kind that was not asked for is found (%v)", err)
	}
}

// TestPatternFindsAll: a configured expression sees the whole text at once, because
// nothing is known about it.
func TestPatternFindsAll(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector([]string{"jwt"}, redact.Pattern{Name: "start", Pattern: `^[a-z]+`}, redact.Pattern{Name: "case", Pattern: `C-\d+`})
	if err != nil {
		t.Fatal(err)
	}
	want := []redact.Match{
		{Kind: "start", Class: redact.ClassPII, Start: 0, End: 3},
		{Kind: "case", Class: redact.ClassPII, Start: 8, End: 11},
		{Kind: "case", Class: redact.ClassPII, Start: 12, End: 15},
	}
	if d := testdiff.Of(want, d.Find("abc def C-1 C-2"[:8]+"C-1 C-2")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector([]string{"email"})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Find("a" + "@example.com sk-" + alnum(30)); len(got) != 1 || got[0].Kind != "email" {
		t.Errorf("email alone: %+v", got)
	}
	if d, err = redact.NewDetector([]string{"secret"}); err != nil || len(d.Find("a"+"@example.com")) != 0 {
		t.Errorf("the class secret: %v", err)
	}
	for in, want := range map[string]string{"e-mail": `did you mean "email"?`, "creditcard": `did you mean "credit_card"?`, "zzz": "want one of secret, pii, private_key"} {
		if _, err := redact.NewDetector([]string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	for _, c := range []redact.Pattern{{"a b", "x"}, {"a", "("}, {"a", ""}, {"a", "x*"}, {"a", strings.Repeat("x", 4097)}} {
		if _, err := redact.NewDetector(nil, c); err == nil {
			t.Errorf("pattern %+v is accepted", c)
		}
	}
}

// FuzzFind: matches are in order, without overlap, inside the text and on character
// boundaries, and nothing is found again once it is redacted.
func FuzzFind(f *testing.F) {
	f.Add("mail a" + "@example.com, card 4" + strings.Repeat("1", 15) + ", key sk-" + alnum(30))
	f.Add("DE89 3704 0044" + " 0532 0130 00 +49 30 901820 ::1 2001:db8::1")
	f.Add("\xe2\u00a0\u2011 4111\u00a01111" + "\u202f1111\u20111111\uff11\u2013\xef")
	f.Add("password=\xff\xfe" + alnum(12))
	d, err := redact.NewDetector(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, m := range d.Find(text) {
			if m.Start < end || m.End <= m.Start || m.End > len(text) {
				t.Fatalf("%+v after %d in %q", m, end, text)
			}
			end = m.End
			if utf8.ValidString(text) && !utf8.ValidString(text[m.Start:m.End]) {
				t.Fatalf("%+v cuts a character of %q", m, text)
			}
		}
	})
}

// FuzzPlanted: a secret planted between any two texts is found.
func FuzzPlanted(f *testing.F) {
	f.Add("", "")
	f.Add("password: ", " 415-555-0")
	f.Add("-----BEGIN X", "2026 1111 ")
	f.Add("key token @ :// sk- AKIA", "\\n\\u000a")
	d, err := redact.NewDetector(nil)
	if err != nil {
		f.Fatal(err)
	}
	planted := []string{
		"sk-" + alnum(30), "ghp_" + alnum(36), "AKIA" + upper(16), "ana.canary" + "@example.com", "DE89370400440532013000", "+49 30 " + "901820",
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, p := range planted {
			// On a separate line, because "5 +49 30 ..." is not a telephone number.
			text := before + "\n;" + p + ";\n" + after
			start := len(before) + 2
			if !slices.ContainsFunc(d.Find(text), func(m redact.Match) bool { return m.Start <= start && m.End >= start+len(p) }) {
				t.Fatalf("%q survives between %q and %q", p[:4], before, after)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	d, err := redact.NewDetector(nil)
	if err != nil {
		b.Fatal(err)
	}
	clean := strings.Repeat("Your parcel left our warehouse on Monday and will arrive soon. ", 33)
	numbers := strings.Repeat("Order 4155550132 of 2026-01-31 costs 1,299.00 and has 3 parts. ", 33)
	typeset := strings.ReplaceAll(clean, " on ", "\u00a0\u2013\u00a0")
	b.Run("clean_typeset_2KB", func(b *testing.B) {
		for b.Loop() {
			d.Find(typeset)
		}
	})
	b.Run("clean_2KB", func(b *testing.B) {
		for b.Loop() {
			d.Find(clean)
		}
	})
	b.Run("numbers_2KB", func(b *testing.B) {
		for b.Loop() {
			d.Find(numbers)
		}
	})
	// The worst case: endless anchors and digits, none of them a match.
	for name, unit := range map[string]string{
		"anchors": "@", "tokens": "sk-", "urls": "//a:b@c.de;", "words": "token key secret password ", "digits": "4111 ", "typeset": "4111\u00a0", "hex": "a:1.", "pem": "-----BEGIN PRIVATE KEY----", "invalid": "4111 1111 1111 1112 ",
	} {
		for _, size := range []int{32 << 10, 256 << 10} {
			text := strings.Repeat(unit, size/len(unit))
			b.Run(fmt.Sprintf("worst_%s_%dKB", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					d.Find(text)
				}
			})
		}
	}
}
