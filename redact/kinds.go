package redact

import (
	"regexp"
	"slices"
)

// ways are all ways to find the built-in kinds.
type ways struct {
	starters []starter
	labels   []starter // told by a word, in any case
	shapes   []shape
	finders  []finder
}

// builtIn returns the table of kinds, the more specific before the more general.
// Each detector builds its own; a process has a handful.
func builtIn() ways {
	return ways{
		starters: slices.Concat(jwtStarters(), tokenStarters(), ibanStarters()),
		labels:   nationalStarters(),
		shapes:   slices.Concat(ssnForms(), nationalForms(), phoneForms()),
		finders:  append(secretFinders(), personalFinders()...),
	}
}

// whole makes a measure of a check that takes or refuses all of a match.
func whole(holds func(text string, start, end int) bool) func(string, int, int) int {
	return func(text string, start, end int) int {
		if holds(text, start, end) {
			return end
		}
		return start
	}
}

// privateKey is the kind of keys in PEM form.
const privateKey = "private_key"

// secretFinders returns the ways to find secrets that no first letters tell.
func secretFinders() []finder {
	// key returns the finder of a key with an anchor in its middle or behind it.
	key := func(kind, description string, measure func(string, int, int) int, expr string, anchors ...string) finder {
		return finder{Kind: Kind{kind, ClassSecret, description}, anchors: anchors, reach: 128, measure: measure, re: regexp.MustCompile(`\b(` + expr + `)`), group: true}
	}
	const another = "token of another service, told by its form"
	return []finder{
		{
			Kind:    Kind{privateKey, ClassSecret, "private key in PEM form"},
			anchors: []string{"----BEGIN "},
			re: regexp.MustCompile(`-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}[^A-Za-z0-9<]{0,16}(?:[A-Za-z-]{1,20}: [^\n]*[^A-Za-z0-9<]{1,8})*` +
				`[A-Za-z0-9+/=]{3,}[\s\S]*?(?:-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|\z)`),
			measure: whole(isKeyBlock),
		},
		{
			Kind:    Kind{"aws_secret_key", ClassSecret, "AWS secret access key, by the word before it"},
			anchors: []string{"aws", "secret"}, fold: true,
			re:    regexp.MustCompile(`(?i)(?:aws|secret)[a-z_ -]{0,30}["']?\s{0,4}(?::|=|\bis\b)\s{0,4}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`),
			group: true, reach: 128, measure: whole(generated),
		},
		key(apiToken, another, whole(generated), `[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b`, ":AA"),                                         // Telegram
		key(apiToken, another, whole(generated), `[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}`, ".atlasv1."),                     // Terraform
		key(apiToken, another, whole(generated), `[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}`, "Q~"),                             // Azure AD
		key(apiToken, another, whole(generated), `[a-f0-9]{32}-us[0-9]{1,2}\b`, "-us"),                                               // Mailchimp
		key(apiToken, another, whole(generated), `[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk\b`, "_mmk"),                                     // MaxMind
		key(apiToken, another, whole(generated), `[0-9]{15,16}[|][A-Za-z0-9_-]{27,40}\b`, "|"),                                       // Facebook
		key(apiToken, another, whole(generated), `[a-z0-9]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{80,}`, ".webhook.office"), // Teams
		{
			Kind:    Kind{"authorization", ClassSecret, "credentials of an Authorization header"},
			anchors: []string{"bearer", "basic", "authorization"}, fold: true,
			re:    regexp.MustCompile(`(?i)\b(?:bearer|basic|authorization["']?\s{0,2}[:=]\s{0,2}["']?(?:api-?)?(?:token|key))\s{1,4}([A-Za-z0-9+/._~-]{8,}=*)`),
			group: true, reach: 64, measure: whole(isCredentials),
		},
		{
			Kind:    Kind{"url_password", ClassSecret, "password in a URL"},
			anchors: []string{" -u ", "--user"}, // of curl
			re:      regexp.MustCompile(`(?:-u|--user)[ =]{1,3}["']?[^\s"':]{0,64}:["']?([^\s"']{6,128})`),
			group:   true, reach: 160, measure: whole(isUserPassword),
		},
		{
			Kind:    Kind{"url_password", ClassSecret, "password in a URL"},
			anchors: []string{"://"},
			re:      regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@?#"']{0,256}:([^\s/@?#"']+)@`),
			group:   true, reach: 16, measure: whole(isURLPassword),
		},
	}
}

// personalFinders returns the ways to find personal data.
func personalFinders() []finder {
	return []finder{
		{
			Kind:    Kind{"email", ClassPII, "e-mail address"},
			anchors: []string{"@"},
			reach:   1,
			group:   true,
			re:      regexp.MustCompile(`([\p{L}0-9_][\p{L}0-9._%+'-]{0,63}@(?:[\p{L}0-9-]{1,63}\.){1,8}[\p{L}0-9-]{2,24})`),
			measure: whole(isEmail),
		},
		{
			Kind:    Kind{"email", ClassPII, "e-mail address"},
			anchors: []string{"[at]", "(at)"}, fold: true,
			before: 66, reach: 80,
			group: true,
			re:    regexp.MustCompile(`(?i)([\p{L}0-9][\p{L}0-9._+-]{0,63} ?[\[(]at[\])] ?[\p{L}0-9-]{1,63}(?:(?: ?[\[(](?:dot|punkt|punto)[\])] ?|\.)[\p{L}0-9-]{2,63}){1,4})`),
		},
		{
			Kind:    Kind{"email", ClassPII, "e-mail address"},
			anchors: []string{`"@`},
			before:  66, reach: 1,
			re: regexp.MustCompile(`"[^"@\n]{1,64}"@(?:[\p{L}0-9-]{1,63}\.){1,8}\p{L}{2,24}`),
		},
		{
			Kind:   Kind{"credit_card", ClassPII, "payment card number"},
			digits: 12, between: " -.",
			re:    regexp.MustCompile(`\b([2-6][0-9]{3}(?:[0-9]{9,15}|(?:[ .-][0-9]{4}){2}[ .-][0-9]{1,7}|[ .-][0-9]{6}[ .-][0-9]{5}))\b`),
			group: true, measure: whole(isCard),
		},
		{
			Kind:   Kind{"ip_address", ClassPII, "IPv4 or IPv6 address"},
			digits: 2, between: ".:ABCDEFabcdef", marks: ".:", least: 2,
			re:    regexp.MustCompile(`((?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4})|(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?)`),
			group: true, measure: isAddress,
		},
	}
}
