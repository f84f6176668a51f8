package field_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// placeholder stands in a row for something that looks like a secret. It is put in
// when the row is read, because no file may hold one.
var placeholder = regexp.MustCompile(`\{\{token ([a-z_]+)\}\}`)

// expand puts a token in the place of each placeholder of a row.
func expand(t *testing.T, line []byte) []byte {
	t.Helper()
	if !bytes.Contains(line, []byte("{{token ")) {
		return line
	}
	return placeholder.ReplaceAllFunc(line, func(m []byte) []byte {
		name := string(placeholder.FindSubmatch(m)[1])
		form, ok := tokens[name]
		if !ok {
			t.Fatalf("no token is named %q", name)
		}
		return []byte(form())
	})
}

const (
	small    = "abcdefghijklmnopqrstuvwxyz"
	digits   = "0123456789"
	hex      = "0123456789abcdef"
	alphaNum = small + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
	upperNum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
)

// random returns characters of a set, the same ones each time.
func random(chars string, n int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(chars)))) //nolint:gosec // not for secrets
	var b strings.Builder
	for range n {
		b.WriteByte(chars[r.IntN(len(chars))])
	}
	return b.String()
}

// token returns a maker of a prefix and random characters behind it.
func token(prefix, chars string, n int) func() string {
	return func() string { return prefix + random(chars, n) }
}

// tokens are the forms of tokens by the names that rows use.
var tokens = map[string]func() string{
	"plain":         token("", alphaNum, 24),
	"word":          func() string { return "Tr0ub4dor" + "!3x" },
	"age":           token("AGE-SECRET-KEY-"+"1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
	"anthropic":     token("sk-ant-"+"api03-", alphaNum, 95),
	"atlassian":     token("ATAT"+"T3", alphaNum, 186),
	"aws_temporary": token("ASIA", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
	"azure_storage": func() string { return "AccountKey=" + random(alphaNum, 86) + "==" },
	"databricks":    token("dapi", hex, 32),
	"digitalocean":  token("dop_v1_", hex, 64),
	"discord": func() string {
		return "MTA" + random(alphaNum, 23) + "." + random(alphaNum, 6) + "." + random(alphaNum, 38)
	},
	"docker":        token("dckr_pat_", alphaNum, 27),
	"doppler":       token("dp.pt.", alphaNum, 43),
	"github":        token("ghp_", alphaNum, 36),
	"github_fine":   token("github_pat_", alphaNum, 82),
	"gitlab":        token("glpat-", alphaNum, 20),
	"gitlab_deploy": token("gldt-", alphaNum, 20),
	"gitlab_runner": token("glrt-", alphaNum, 20),
	"google_api":    token("AIza", alphaNum, 35),
	"google_oauth":  token("GOCSPX-", alphaNum, 28),
	"grafana":       func() string { return "glsa_" + random(alphaNum, 32) + "_" + random(hex, 8) },
	"groq":          token("gsk_", alphaNum, 52),
	"hf":            token("hf_", alphaNum, 34),
	"jwt": func() string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1234","name":"x"}`)) + "." + random(alphaNum, 43)
	},
	"langsmith":      func() string { return "lsv2_pt_" + random(hex, 32) + "_" + random(hex, 10) },
	"linear":         token("lin_api_", alphaNum, 40),
	"mailchimp":      func() string { return random(hex, 32) + "-us12" },
	"mailgun":        token("key-", hex, 32),
	"newrelic":       token("NRAK-", upperNum, 27),
	"notion":         func() string { return "ntn_" + random(digits, 11) + random(alphaNum, 35) },
	"npm":            token("npm_", alphaNum, 36),
	"nvidia":         token("nvapi-", alphaNum, 64),
	"openai":         token("sk-", alphaNum, 48),
	"openai_project": token("sk-proj-", alphaNum, 120),
	"perplexity":     token("pplx-", alphaNum, 48),
	"postman":        func() string { return "PMAK-" + random(hex, 24) + "-" + random(hex, 34) },
	"pulumi":         token("pul-", hex, 40),
	"pypi":           token("pypi-", alphaNum, 90),
	"replicate":      token("r8_", alphaNum, 37),
	"sendgrid":       func() string { return "SG." + random(alphaNum, 22) + "." + random(alphaNum, 43) },
	"sentry":         token("sntryu_", hex, 64),
	"shopify":        token("shpat_", hex, 32),
	"slack_app": func() string {
		return "xapp-1-A" + random(upperNum, 10) + "-" + random(digits, 13) + "-" + random(hex, 64)
	},
	"slack_webhook": func() string {
		return "T" + random(upperNum, 10) + "/B" + random(upperNum, 9) + "/" + random(alphaNum, 24)
	},
	"square":   token("sq0atp-", alphaNum, 22),
	"stripe":   token("sk_"+"live_", alphaNum, 24),
	"supabase": token("sbp_", hex, 40),
	"telegram": func() string { return random("123456789", 10) + ":AA" + random(alphaNum, 33) },
	"twilio":   token("SK", hex, 32),
	"vault":    token("hvs.", alphaNum, 95),
	"xai":      token("xai-", alphaNum, 80),
}
