package sensitive

import "regexp"

// builtIn gives the table of kinds, the more specific before the more general.
// It is built anew for each detector, of which a process has a handful.
func builtIn() []pattern {
	kind := func(name string, class Class, description string) Kind { return Kind{name, class, description} }
	return []pattern{
		{
			Kind:    kind("private_key", ClassSecret, "private key in PEM form"),
			anchors: []string{"PRIVATE KEY"},
			re:      regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)`),
		},
		{
			Kind:    kind("aws_access_key", ClassSecret, "AWS access key id"),
			anchors: []string{"AKIA", "ASIA", "ABIA", "ACCA"},
			re:      regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`),
		},
		{
			Kind:    kind("aws_secret_key", ClassSecret, "AWS secret access key, by the word before it"),
			anchors: []string{"aws", "secret"}, fold: true,
			re:    regexp.MustCompile(`(?i)(?:aws|secret)[a-z_ -]{0,30}["']?\s{0,4}(?::|=|\bis\b)\s{0,4}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`),
			group: 1, valid: mixed,
		},
		{
			Kind:    kind("google_api_key", ClassSecret, "Google API key"),
			anchors: []string{"AIza"},
			re:      regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`),
		},
		{
			Kind:    kind("github_token", ClassSecret, "GitHub token"),
			anchors: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
			re:      regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})`),
		},
		{
			Kind:    kind("gitlab_token", ClassSecret, "GitLab token"),
			anchors: []string{"glpat-"},
			re:      regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,255}`),
		},
		{
			Kind:    kind("slack_token", ClassSecret, "Slack token"),
			anchors: []string{"xox"},
			re:      regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,255}`),
		},
		{
			Kind:    kind("anthropic_key", ClassSecret, "Anthropic API key"),
			anchors: []string{"sk-ant-"},
			re:      regexp.MustCompile(`\bsk-ant-[A-Za-z0-9_-]{20,255}`),
		},
		{
			Kind:    kind("openai_key", ClassSecret, "OpenAI API key, and keys of the same form"),
			anchors: []string{"sk-"},
			re:      regexp.MustCompile(`\bsk-(?:proj-|svcacct-|admin-|or-)?[A-Za-z0-9_-]{20,255}`),
			valid:   mixed,
		},
		{
			Kind:    kind("stripe_key", ClassSecret, "Stripe secret or restricted key"),
			anchors: []string{"k_live_", "k_test_"},
			re:      regexp.MustCompile(`\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}`),
		},
		{
			Kind:    kind("jwt", ClassSecret, "JSON Web Token"),
			anchors: []string{"eyJ"},
			re:      regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
		},
		{
			Kind:    kind("authorization", ClassSecret, "credentials of an Authorization header"),
			anchors: []string{"bearer", "basic"}, fold: true,
			re:    regexp.MustCompile(`(?i)\b(?:bearer|basic)\s{1,4}([A-Za-z0-9+/._~-]{16,}=*)`),
			group: 1, valid: mixed,
		},
		{
			Kind:    kind("url_password", ClassSecret, "password in a URL"),
			anchors: []string{"://"},
			re:      regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@?#]{0,256}:([^\s/@?#]{1,256})@`),
			group:   1,
		},
		{
			Kind:    kind("assigned_secret", ClassSecret, "value of a password, key or token that is assigned"),
			anchors: []string{"key", "secret", "passw", "pwd", "token", "credential"}, fold: true,
			re: regexp.MustCompile(`(?i)(?:api[_-]?key|access[_-]?key|secret|passwo?r?d|passwd|pwd|token|credential)[a-z0-9_-]{0,20}["']?` +
				`\s{0,4}(?::=|=>|[:=])\s{0,4}["']?([^\s"',;<>(){}\[\]]{8,256})`),
			group: 1, valid: mixed,
		},
		{
			Kind:    kind("email", ClassPII, "e-mail address"),
			anchors: []string{"@"},
			re:      regexp.MustCompile(`[\p{L}0-9][\p{L}0-9._%+-]{0,63}@(?:[\p{L}0-9-]{1,63}\.){1,8}\p{L}{2,24}`),
		},
		{
			Kind:   kind("iban", ClassPII, "international bank account number"),
			digits: 10,
			re:     regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b`),
			valid:  iban,
		},
		{
			Kind:   kind("credit_card", ClassPII, "payment card number"),
			digits: 12,
			re:     regexp.MustCompile(`\b[2-6][0-9]{3}(?:[0-9]{9,15}|(?:[ -][0-9]{4}){2}[ -][0-9]{1,7}|[ -][0-9]{6}[ -][0-9]{5})\b`),
			valid:  card,
		},
		{
			Kind:    kind("us_ssn", ClassPII, "US social security number"),
			digits:  9,
			anchors: []string{"-"},
			re:      regexp.MustCompile(`\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b`),
			valid:   ssn,
		},
		{
			Kind:   kind("phone", ClassPII, "telephone number"),
			digits: 7,
			// An international prefix, or the punctuation of a number that is read
			// aloud: bare digits are more often an order than a telephone.
			re:    regexp.MustCompile(`(?:^|[^\w.+-])(\+[1-9](?:[ .()/-]{0,3}[0-9]){6,14}|\([0-9]{2,5}\) ?[0-9]{3,4}[ .-]?[0-9]{3,4}|[2-9][0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}|0[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,5})(?:$|[^\w-])`),
			group: 1, valid: phone,
		},
		{
			Kind:    kind("ip_address", ClassPII, "IPv4 or IPv6 address"),
			digits:  2,
			anchors: []string{".", ":"},
			re:      regexp.MustCompile(`(?:^|[^\w.:])((?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4})(?:$|[^\w.:]|[.:](?:$|\s))`),
			group:   1, valid: address,
		},
	}
}
