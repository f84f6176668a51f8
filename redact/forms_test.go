package redact_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/redact"
)

// TestNationalForms: each kind that has national forms is found in them, in prose.
func TestNationalForms(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector([]string{"pii"})
	if err != nil {
		t.Fatal(err)
	}
	for kind, texts := range map[string][]string{
		"phone": {
			"Call (415) 555" + "-0132 now", "Call 1-800-555" + "-0199", "+1 415 555 " + "0132", "415.555" + ".0132", "Call me at 41555" + "50132", // North America
			"020 7946 " + "0958", "07700 900 " + "123", "(020) 7946 " + "0958", "+44 20 7946 " + "0958", // Great Britain
			"030 90182" + "0-0", "0171/12345" + "67", "0049 30 90" + "1820", "+49 (0)30 90" + "1820", // Germany
			"06 12 34 " + "56 78", "01.42.34" + ".56.78", "+33 6 12 34 " + "56 78", "0033 6 12 34 " + "56 78", // France
			"Ligue (11) 91234" + "-5678", "11 91234" + "-5678", "+55 11 91234" + "-5678", "(11) 3333" + "-4444", // Brazil
			"拨打 138-1234" + "-5678", "手机 138123" + "45678", "+86 138 1234 " + "5678", "010-12345" + "678", // China
			"Llame al 612 34 " + "56 78", "Llame al 612 345 " + "678", "+34 612 345 " + "678", "Teléfono: 9123" + "45678", // Spain
			"Call 98765 " + "43210 today", "+91-98765" + "-43210", "+91 98765 " + "43210", "(080) 2345 " + "6789", // India
			"8 (912) 345" + "-67-89", "8-912-345" + "-67-89", "+7 912 345" + "-67-89", "Телефон 8912" + "3456789", // Russia
			"0412 345 " + "678", "(02) 9876 " + "5432", "+61 412 345 " + "678", "Call 1300 65" + "5506", // Australia
			"03-1234" + "-5678", "090-1234" + "-5678", "+81 3-1234" + "-5678", "電話 0312" + "345678", // Japan
			"Bel 06-1234" + "5678", "020-123 " + "4567", "+31 6 1234 " + "5678", "044 668 " + "18 00", "tel:+1415555" + "0132", "https://wa.me/1415" + "5550132",
		},
		"national_id": {
			"529.982." + "247-25", "CPF 5299822" + "4725", // Brazil
			"DNI 12345" + "678Z", "X1234" + "567L", // Spain
			"AB123" + "456C", "AB 12 34 " + "56 C", // Great Britain
			"RSSMRA85" + "T10A562S", "110105194" + "91231002X", "850101-1" + "234567", "2 55 08 14 " + "168 025 38", // Italy, China, Korea, France
			"Aadhaar 2345 6789 " + "0124", "811218" + "-9876", "131052" + "-308T", "PESEL: 4405140" + "1359", "BSN 11122" + "2333", // India, Sweden, Finland, Poland, the Netherlands
			"Passport no. C01X" + "00T47", "Reisepass: C01X" + "00T47", `"passport_number":"X4RT` + `BPFW4"`, "Steuer-ID 86 095 742 " + "719",
		},
		"us_ssn": {"123-45" + "-6789", "SSN 123 45 " + "6789", "SSN: 1234" + "56789", "social security number: 123-45" + "-6789"},
		"iban": {
			"DE89 3704 0044 " + "0532 0130 00", "de89 3704 0044 " + "0532 0130 00", "DE89-3704-0044" + "-0532-0130-00", "GB82 WEST 1234 " + "5698 7654 32", "FR14 2004 1010 0505 0001 " + "3M02 606",
			"NL91 ABNA 0417 " + "1643 00", "NO93 8601 " + "1117 947",
		},
		"credit_card": {"4539 5787 6362 " + "1486", "4539-5787-6362" + "-1486", "4539.5787.6362" + ".1486", "3782 822463 " + "10005", "6011000990" + "139424"},
		"ip_address":  {"203.0.113" + ".9", "2001:db8::8a2e" + ":370:7334", "::ffff:203.0" + ".113.9", "64:ff9b::203.0" + ".113.9", "203.0.113" + ".9:443"},
		"email":       {"ana.k" + "@example.org", "ana@bü" + "cher.example", "sean.o'brien" + "@example.org", "ana [at] exam" + "ple [dot] org", `"ana k"` + "@example.org", "ana%40" + "example.org"},
	} {
		for _, text := range texts {
			if !found(d, kind, text) || !found(d, kind, "So: "+text+", as I said.") {
				t.Errorf("%s is not found in %q: %v", kind, text, d.Find(text))
			}
		}
	}
}

func found(d *redact.Detector, kind, text string) bool {
	for _, m := range d.Find(text) {
		if m.Kind == kind {
			return true
		}
	}
	return false
}

// TestNothingPersonal: numbers and names that look like personal data.
func TestNothingPersonal(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"Chrome/114.0.0.0 Safari/537.36", "version 16.0.1.20", "netmask 255.255.255.0", "the router at 192.168.0.1", "10.0.0.0/8", "8.8.8.8 and 1.1.1.1", "fe80::/10, ::1", "std::chrono::now()",
		"icon@2x.png", "git clone git@github.com:acme/widgets.git", "X@W.transpose", "ssh root@server.local", "@app.route",
		"450 500 1200", "200.300.4000", "+48.858370 +2.294481", "+1 250 000 dollars", "Order 404-123-4567", "Pages 200-300-4000", "ISBN 978-3-16-148410-0", "ts=1717171717171",
		"2024-05-01 12:30:45 +0000", "call on 2024-05-01", "00 11 22 33 44 55 66 77", "c = 299 792 458 m/s", "01 02 03 04 05", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		"Use Stripe's test card 4242 4242 4242 4242", "0.4539578763621486", "Your passport number goes into field 12.", "RFC 2616, section 3", "be 48 bytes on 64 bit",
	} {
		for _, m := range d.Find(text) {
			t.Errorf("false alarm: %s in %q", m.Kind, text)
		}
	}
}

// TestDecimals: the decimals of a number are nobody's card, account or telephone.
func TestDecimals(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector([]string{"pii"})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 25_000 {
		x := random.Float64()
		for _, text := range []string{
			strconv.FormatFloat(x, 'g', -1, 64), fmt.Sprint(x * 1000), fmt.Sprintf("p = %.18f, q", x), fmt.Sprintf(`{"score":%v,"weight":-%v}`, x, x*1e6),
		} {
			if got := d.Find(text); len(got) > 0 {
				t.Fatalf("%q: %v", text, got)
			}
		}
	}
}

// TestAssignments: a secret in the syntax of many languages, and what is none.
func TestAssignments(t *testing.T) {
	t.Parallel()
	d, err := redact.NewDetector([]string{"secret"})
	if err != nil {
		t.Fatal(err)
	}
	key, word := alnum(24), "Tr0ub4dor"+"!3x"
	for _, form := range []string{
		"API_KEY ?= %k", "API_KEY := %k", "api_key ::= '%k'", `var apiKey string = "%k"`, `const apiKey: string = "%k";`, `let api_key: &str = "%k";`, "api-key => '%k'", "api_key == %k",
		"export API_KEY=%k", "api_key: %k", `{"api_key": "%k"}`, `{\"api_key\": \"%k\"}`, `<apiKey>%k</apiKey>`, "?api_key=%k&x=1", `setProperty("api_key", "%k")`, "**API key:** `%k`",
		"password: %w", "password=%w", `PASSWORD = "%w"`, "DB_PASSWORD=%w", "the password is %w.", "Your new password is:\n\n**%w**", `password: "correct horse"`, `props.put('password', '%w')`, "Passwort: %w",
		"postgres://app:%w@db:5432/x", "curl -u ana:%w https://x.example", "Authorization: Token %k", "password: \u201c%w\u201d",
	} {
		text := strings.NewReplacer("%k", key, "%w", word).Replace(form)
		if len(d.Find(text)) == 0 {
			t.Errorf("nothing is found in %q", text)
		}
	}
	for _, text := range []string{
		"token = get_token_v2(user)", "const apiKey = process.env.STRIPE_KEY_2;", "api_key: ${SECRET_V1_NAME}", "token_url: https://login.example.com/oauth2/v2.0/token", `tokenizer = "cl100k_base"`,
		"secretName: wildcard-tls-2024", "AKIAIOSFODNN7" + "EXAMPLE", "postgresql://user:password@localhost:5432/mydb", "redis://default:${REDIS_PASSWORD}@cache", "password: string", "password: your_password",
		"max_new_tokens=2048", "--color-token: blue-500-dark", "nextToken = page_2_of_10", "password=sha256_crypt_v5", "PrivateKey: testRSA2048PrivateKey", `["password", "username_2"]`,
		"The password must be at least 8 characters", "Authorization: Bearer YOUR_ACCESS_TOKEN_HERE_1", "docker run -u 1000:1000000 x", "s.ReadUint16LengthPrefixed(x)", "sk-image-processing-2024-edition-tools",
		`date -u +%Y-%m-%dT%H:%M:%SZ`, "X_PASSWORD_SECUREONLY = 0x01", "Token: `urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6`", "see password=&foo=bar2",
	} {
		for _, m := range d.Find(text) {
			t.Errorf("false alarm: %s %q in %q", m.Kind, text[m.Start:m.End], text)
		}
	}
}
