package redact

import "regexp"

// tokenStart matches where a token begins: at a word boundary, or after an escape,
// because JSON inside a text has line breaks as \n.
const tokenStart = `(?:\b|\\(?:[nrtbf]|u[0-9A-Fa-f]{4}))`

// Parts of the expressions for assignments. In JSON inside a text a quote may be
// escaped.
const (
	quoteMark = `(?:\\{0,3}["'])`
	assign    = quoteMark + `?\s{0,4}(?::=|=>|[:=])\s{0,4}`
	// Telephone numbers must not touch a word or a part of a longer number.
	apartBefore = `(?:^|[^\w.+-]|\\[nrtbf])`
	apartAfter  = `(?:$|[^\w-])`
	capitals    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// builtIn returns the table of kinds, the more specific before the more general.
// Each detector builds its own; a process has a handful.
func builtIn() []finder {
	// key returns the finder of a key that is recognised by its first letters.
	key := func(name, description string, reach int, valid func(string) bool, expr string, anchors ...string) finder {
		return finder{
			Kind: Kind{name, ClassSecret, description}, anchors: anchors, reach: reach, valid: valid,
			re: regexp.MustCompile(tokenStart + `(` + expr + `)`), group: true,
		}
	}
	return []finder{
		{
			Kind:    Kind{"private_key", ClassSecret, "private key in PEM form"},
			anchors: []string{"-----BEGIN "},
			re:      regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)`),
		},
		key("aws_access_key", "AWS access key id", 64, nil,
			`(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`, "AKIA", "ASIA", "ABIA", "ACCA"),
		{
			Kind:    Kind{"aws_secret_key", ClassSecret, "AWS secret access key, by the word before it"},
			anchors: []string{"aws", "secret"}, fold: true,
			re:    regexp.MustCompile(`(?i)(?:aws|secret)[a-z_ -]{0,30}` + quoteMark + `?\s{0,4}(?::|=|\bis\b)\s{0,4}` + quoteMark + `?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`),
			group: true, reach: 128, valid: looksRandom,
		},
		key("google_api_key", "Google API key", 64, nil,
			`AIza[0-9A-Za-z_-]{35}`, "AIza"),
		key("github_token", "GitHub token", 64, nil,
			`(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
		key("gitlab_token", "GitLab token", 64, nil,
			`glpat-[A-Za-z0-9_-]{20,}`, "glpat-"),
		key("slack_token", "Slack token", 64, nil,
			`xox[abeoprs]-[A-Za-z0-9-]{10,}`, "xox"),
		key("anthropic_key", "Anthropic API key", 64, nil,
			`sk-ant-[A-Za-z0-9_-]{20,}`, "sk-ant-"),
		key("openai_key", "OpenAI API key, and keys of the same form", 64, looksRandom,
			`sk-(?:proj-|svcacct-|admin-|or-)?[A-Za-z0-9_-]{20,}`, "sk-"),
		key("stripe_key", "Stripe secret or restricted key", 64, nil,
			`[rs]k_(?:live|test)_[A-Za-z0-9]{16,}`, "k_live_", "k_test_"),
		key("jwt", "JSON Web Token", 128, nil,
			`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`, "eyJ"),
		{
			Kind:    Kind{"authorization", ClassSecret, "credentials of an Authorization header"},
			anchors: []string{"bearer", "basic"}, fold: true,
			re:    regexp.MustCompile(`(?i)` + tokenStart + `(?:bearer|basic)\s{1,4}([A-Za-z0-9+/._~-]{8,}=*)`),
			group: true, reach: 32, valid: isCredentials,
		},
		{
			Kind:    Kind{"url_password", ClassSecret, "password in a URL"},
			anchors: []string{"://"},
			re:      regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@?#]{0,256}:([^\s/@?#]+)@`),
			group:   true, reach: 16,
		},
		{
			Kind:    Kind{assignedSecret, ClassSecret, "value of a password, key or token that is assigned"},
			anchors: []string{"key", "secret", "passw", "pwd", "token", "credential"}, fold: true,
			re: regexp.MustCompile(`(?i)(?:api[_-]?key|access[_-]?key|secret|passwo?r?d|passwd|pwd|token|credential)[a-z0-9_-]{0,20}` +
				assign + quoteMark + `?([^\s"'\\,;<>(){}\[\]]{8,})`),
			group: true, reach: 64, valid: looksRandom,
		},
		{
			// A password may be a word. In quotes or right after "=" it is unlikely
			// to be prose.
			Kind:    Kind{assignedSecret, ClassSecret, "value of a password, key or token that is assigned"},
			anchors: []string{"passw", "passphrase", "pwd"}, fold: true,
			re: regexp.MustCompile(`(?i)(?:passwo?r?d|passwd|passphrase|pwd)(?:` + assign + quoteMark + `([^\s"'\\]{4,})` + quoteMark +
				`|=([^\s"'\\,;&<>(){}\[\]$%]{6,})(?:$|[\s"'\\,;&]))`),
			group: true, reach: 300, valid: isPassword,
		},
		{
			Kind:    Kind{"email", ClassPII, "e-mail address"},
			anchors: []string{"@", "%40"}, // as URLs write it
			reach:   1,
			group:   true,
			re:      regexp.MustCompile(`(?:\\[nrtbf])?([\p{L}0-9][\p{L}0-9._%+-]{0,63}(?:@|%40)(?:[\p{L}0-9-]{1,63}\.){1,8}\p{L}{2,24})`),
		},
		{
			Kind:   Kind{"iban", ClassPII, "international bank account number"},
			digits: 10, between: " " + capitals, marks: capitals, least: 2,
			re:    regexp.MustCompile(tokenStart + `([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b`),
			group: true, length: ibanLength,
		},
		{
			Kind:   Kind{"credit_card", ClassPII, "payment card number"},
			digits: 12, between: " -",
			re:    regexp.MustCompile(tokenStart + `([2-6][0-9]{3}(?:[0-9]{9,15}|(?:[ -][0-9]{4}){2}[ -][0-9]{1,7}|[ -][0-9]{6}[ -][0-9]{5}))\b`),
			group: true, valid: isCard,
		},
		{
			Kind:   Kind{"us_ssn", ClassPII, "US social security number"},
			digits: 9, between: "-", marks: "-", least: 2,
			re:    regexp.MustCompile(tokenStart + `([0-9]{3}-[0-9]{2}-[0-9]{4})\b`),
			group: true, valid: isSSN,
		},
		{
			Kind:   Kind{"phone", ClassPII, "telephone number"},
			digits: 7, between: " +.()/-", marks: " +.()/-", least: 1,
			// Requires an international prefix or punctuation, because bare digits
			// are more often an order number than a telephone number.
			re: regexp.MustCompile(apartBefore + `(\+[1-9](?:[ .()/-]{0,3}[0-9]){6,14}|(?:1[ .-])?\([0-9]{2,5}\) ?[0-9]{3,4}[ .-]?[0-9]{3,4}|` +
				`(?:1[ .-])?[2-9][0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}|0[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,5})` + apartAfter),
			group: true, valid: isPhone,
		},
		{
			// Five pairs of digits, as in France, are a telephone number only if no
			// further pair is next to them.
			Kind:   Kind{"phone", ClassPII, "telephone number"},
			digits: 10, between: " .", marks: " .", least: 4,
			re: regexp.MustCompile(`(?:^|[^\w.+ -]|[^0-9] |\\[nrtbf])(0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4}))` +
				`(?:$|[^\w .-]|[ .](?:$|[^0-9]))`),
			group: true, valid: isPairedPhone,
		},
		{
			Kind:   Kind{"ip_address", ClassPII, "IPv4 or IPv6 address"},
			digits: 2, between: ".:ABCDEFabcdef", marks: ".:", least: 2,
			re: regexp.MustCompile(`(?:^|[^\w.:]|\\[nrtbf])(?:((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?::[0-9]{1,5})?|((?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}))` +
				`(?:$|[^\w.:]|[.:](?:$|\s))`),
			group: true, valid: isAddress,
		},
	}
}
