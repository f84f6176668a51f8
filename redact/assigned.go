package redact

import (
	"regexp"
	"strings"
)

// assignedSecret is the kind of a value that only its name shows to be a secret.
const assignedSecret = "assigned_secret"

// secretWord matches the words in a name that make its value a secret.
const secretWord = `api[ _-]?key|access[ _-]?key|account[ _-]?key|private[ _-]?key|secret|passwo?r?[dt]|kennwort|contraseña|mot de passe|passwd|passphrase|passcode|pwd|token|credential`

// assignment matches a name and the value that it is given, in the syntax of YAML,
// JSON, environments, Makefiles, grammars, Go and other languages, and in prose. Its
// groups are the name, what stands between them, and the value: in quotes, or up to
// the next space or mark.
var assignment = regexp.MustCompile(`(?i)((?:` + secretWord + `)[a-z0-9_-]{0,20})` +
	`(["'\x60*]{0,3}\s{0,4}(?:(?::\s?)?(?:string|str|text|&str|\[\]byte)\??\s{0,4})?(?:::=|\?{1,2}=|\|\|=|\+=|:=|=>|={1,3}|:|\b(?:is|ist|es|est|was)\b:?)[*]{0,2}\s{0,4}[*]{0,2}` +
	`|["'\x60]\s{0,4},\s{0,4}|>)` +
	`(?:["'\x60]([^"'\x60\n]{4,128})(?:["'\x60]|$)|([^\s"'\x60\\,;<>(){}\[\]]{4,})([(\[]?))`)

// assignedName matches a name of a secret.
var assignedName = regexp.MustCompile(`(?i)` + secretWord)

// findAssigned appends the values in the text that their names show to be secrets.
func findAssigned(found []Match, h *haystack) []Match {
	h.out = h.out[:0]
	h.aroundFolded(assignedAnchors[:], 8, 220)
	for _, w := range joinWindows(h.out) {
		for at := w.start; at < w.end; {
			loc := assignment.FindStringSubmatchIndex(h.text[at:w.end])
			if loc == nil {
				break
			}
			for i := range loc {
				if loc[i] >= 0 {
					loc[i] += at
				}
			}
			a := readAssignment(h.text, loc)
			if a.secret() {
				found = append(found, Match{assignedSecret, ClassSecret, a.start, a.start + len(a.value)})
				at = a.start + len(a.value)
				continue
			}
			at = loc[3] // behind the name: its value may be a name
		}
	}
	return found
}

var assignedAnchors = [...]string{"key", "secret", "passw", "passphrase", "passcode", "pwd", "token", "credential", "kennwort", "contrase", "mot de passe"}

// assigned is a value with what surrounds it.
type assigned struct {
	name, between, value string
	before               byte // the character before the name; 0: none
	argument             bool // the name is in quotes right behind an opening bracket
	after                byte // the character after the value; 0: none
	call                 bool // an opening bracket follows the value
	quoted               bool
	start                int // of the value
}

func readAssignment(text string, loc []int) (a assigned) {
	first := loc[2]
	for first > 0 && loc[2]-first < maxName && (classes[text[first-1]]&alphaNum != 0 || strings.IndexByte("_.-", text[first-1]) >= 0) {
		first--
	}
	if first > 0 {
		a.before = text[first-1]
		a.argument = strings.IndexByte("\"'`", a.before) >= 0 && first > 1 && text[first-2] == '('
	}
	a.name, a.between = text[first:loc[3]], text[loc[4]:loc[5]]
	at, end := loc[6], loc[7]
	a.quoted = at >= 0
	if a.quoted && end == loc[1] && end < len(text) {
		return assigned{} // the quote is closed far behind
	}
	if !a.quoted {
		at, end = loc[8], loc[9]
		a.call = loc[10] < loc[11]
		for end > at && strings.IndexByte(".!?*:", text[end-1]) >= 0 { // of the sentence
			end--
		}
		if i := strings.IndexByte(text[at:end], '&'); i > 0 && (a.before == '?' || a.before == '&') { // of a query
			end = at + i
		}
		a.after = byteAt(text, end)
	}
	a.start, a.value = at, text[at:end]
	return a
}

func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// secret reports whether the value is a secret, and not a word of prose, code that
// obtains one, its description or a placeholder.
func (a *assigned) secret() bool {
	switch {
	case len(a.value) < 4, a.call, isPlaceholder(a.value), looksLikeMarker(a.value), !secretName(a.name), isNothing(a.value):
		return false
	case strings.Contains(a.value, "://"), strings.HasPrefix(a.value, "arn:"), strings.HasPrefix(a.value, "urn:"), strings.HasPrefix(a.value, "/"):
		return false
	case !a.quoted && (a.value[0] == '&' && strings.Contains(a.value, "=") || len(a.value) <= 10 && strings.HasPrefix(a.value, "0x")): // the next member of a query; a constant
		return false
	}
	op := strings.Trim(a.between, " \t\n\"'`*")
	list := op == "," // setProperty("password", "..."), but not ["password", "..."]
	markup := op == ">"
	prose := len(op) >= 2 && isLetter(op[len(op)-1])
	word := isPasswordName(a.name)
	switch {
	case list && (!a.argument || !a.quoted || turns(a.value) < 1):
		return false
	case markup && a.before != '<':
		return false
	case prose && (!word || turns(a.value) < 2 || looksLikeWords(a.value)):
		return false
	}
	if word {
		return a.password()
	}
	// Most tokens and keys are not secrets: they have to look generated.
	return (a.quoted || !strings.ContainsAny(a.value, "*|?$&")) && len(a.value) >= 8 && looksRandom(a.value) && !looksLikeWords(a.value) && !strings.ContainsAny(a.value, " ") && !isPath(a.value) &&
		(!isTokenName(a.name) || len(a.value) >= 16 || turns(a.value) >= 6)
}

// password reports whether the value may be a password, which a word may be too.
func (a *assigned) password() bool {
	lower := strings.ToLower(a.value)
	if strings.Contains(lower, "password") || strings.Contains(lower, "string") {
		return false
	}
	mixed := turns(a.value) >= 1 && strings.ContainsAny(a.value, "0123456789") || strings.ContainsAny(a.value, "!#$%^&+~")
	spaces := strings.Count(a.value, " ")
	switch {
	case a.quoted && spaces > 0:
		// A passphrase, and not a label or a message: a few words in small letters.
		return spaces <= 5 && len(a.value) >= 8 && strings.ToLower(a.value) == a.value && !strings.ContainsAny(a.value, ".,:?!()") && passphrase(a.value)
	case isPath(a.value), looksLikeWords(a.value) && strings.ContainsAny(a.value, "-_."):
		return false
	case a.quoted:
		return true
	case strings.ContainsAny(a.value, "$|"), strings.Contains(a.value, "this."), strings.Contains(a.value, "+="):
		return false
	case mixed:
		return len(a.value) >= 5 || strings.HasSuffix(strings.TrimSpace(a.between), "=")
	}
	// A bare word: in a query or an environment, right after the sign.
	return strings.HasSuffix(a.between, "=") && len(a.value) >= 6 && a.after != '.' && a.after != ')' && a.after != ',' && a.after != '['
}

// stopWords make several words a message.
var stopWords = [...]string{
	"the", "your", "a", "an", "is", "are", "not", "must", "be", "to", "for", "of", "in", "and", "or", "new", "old", "invalid", "wrong", "missing", "required", "field", "at", "least",
	"enter", "with", "from", "this", "that", "no", "user", "hash", "reset", "forgot", "login", "name",
}

// passphrase reports whether none of the words makes a text a message.
func passphrase(s string) bool {
	for word := range strings.FieldsSeq(s) {
		for _, stop := range stopWords {
			if word == stop {
				return false
			}
		}
	}
	return true
}

// isNothing reports whether a value says that there is none.
func isNothing(s string) bool {
	switch strings.ToLower(s) {
	case "null", "none", "true", "false", "undefined", "required", "optional", "hidden", "string", "text", "empty", "nil", "void", "bool", "number", "integer", "binary", "bearer", "basic":
		return true
	}
	return false
}

// looksLikeWords reports whether a text consists of words and short numbers, joined
// by dashes, underscores, dots or capitals, such as cl100k_base, wildcard-tls-2024 or
// testRSA2048PrivateKey.
func looksLikeWords(s string) bool {
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("-_./:", r) }) {
		parts, digits := 1, 0
		for i := range len(word) {
			c := word[i]
			switch {
			case isDigit(c):
				digits++
				if i > 0 && !isDigit(word[i-1]) {
					parts++
				}
			case !isLetter(c):
				return false
			case i > 0 && (isDigit(word[i-1]) || c < 'a' && word[i-1] >= 'a'):
				parts++
			}
		}
		short := len(word) <= 8 && parts <= 3
		if digits > 8 || digits > 0 && !short && 2*len(word) < 7*parts {
			return false
		}
	}
	return true
}

// isPath reports whether a value is a chain of identifiers, as in process.env.X, or
// a path.
func isPath(s string) bool {
	dots := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' || c == '/':
			if i == 0 || s[i-1] == c {
				return false
			}
			dots++
		case !isLetter(c) && !isDigit(c) && c != '_':
			return false
		}
	}
	return dots > 0 && isLetter(s[0]) && looksLikeWords(s)
}

// descriptions are the ends of names whose values only describe a secret.
var descriptions = [...]string{
	"url", "uri", "name", "names", "arn", "id", "ids", "type", "types", "file", "path", "dir", "length", "len", "limit", "limits", "count", "counts", "size", "izer", "izers", "ized", "ize",
	"ization", "env", "var", "field", "header", "prefix", "suffix", "regex", "pattern", "policy", "version", "ref", "endpoint", "index", "hash", "algorithm", "expires", "expiry", "ttl", "usage",
	"budget", "price", "cost", "label", "hint", "status", "format", "class", "manager", "provider", "service", "store", "error", "required", "max", "min", "age", "at",
}

// secretName reports whether the name of a value that holds the word of a secret is
// not the name of something about a secret, such as token_url or secretName.
func secretName(name string) bool {
	lower := strings.ToLower(strings.TrimRight(name, "_-."))
	last := max(strings.LastIndex(lower, "secret"), strings.LastIndex(lower, "passw"), strings.LastIndex(lower, "pwd"), strings.LastIndex(lower, "pass"),
		strings.LastIndex(lower, "token"), strings.LastIndex(lower, "credential"), strings.LastIndex(lower, "key"))
	rest := lower[max(last, 0):]
	for _, d := range descriptions {
		if strings.HasSuffix(rest, d) {
			return false
		}
	}
	// Of design and of lists, not of access.
	for _, other := range [...]string{"next", "page", "cancellation", "cancel", "color", "colour", "design", "css", "continuation", "csrf", "special", "max", "num", "eos", "bos", "pad", "stop", "public", "syntax"} {
		if strings.HasSuffix(strings.TrimRight(lower[:max(last, 0)], "_-. "), other) {
			return false
		}
	}
	return true
}

func isPasswordName(name string) bool {
	lower := strings.ToLower(name)
	return strings.Contains(lower, "passw") || strings.Contains(lower, "kennwort") || strings.Contains(lower, "contrase") || strings.Contains(lower, "mot de passe") || strings.Contains(lower, "pwd") || strings.Contains(lower, "passphrase") || strings.Contains(lower, "passcode")
}

func isTokenName(name string) bool {
	lower := strings.ToLower(name)
	return lower == "token" || lower == "key" || lower == "secret"
}
