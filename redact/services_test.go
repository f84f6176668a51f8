package redact_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/redact"
)

// tokenFact says how the tokens of a service look, from what services and public
// scanners (gitleaks, version 8.30, names the rule) say of them. In form, {n set}
// stands for n characters of a set.
type tokenFact struct{ rule, form string }

// facts are the 92 formats of tokens that gitleaks 8.30 tells by themselves, without
// the name of their service before them.
func facts() []tokenFact {
	return []tokenFact{
		{"1password-secret-key", "A3-{6 AD}-{11 AD}-{5 AD}-{5 AD}-{5 AD}"},
		{"1password-service-account-token", "ops_" + "eyJ{260 aAd}"},
		{"adobe-client-secret", "p8e-{32 ad}"},
		{"age-secret-key", "AGE-SECRET-KEY-" + "1{58 bech}"},
		{"airtable-personal-access-token", "pat{14 aAd}.{64 hex}"},
		{"alibaba-access-key-id", "LTAI{20 ad}"},
		{"anthropic-admin-api-key", "sk-ant-admin01-{93 url}AA"},
		{"anthropic-api-key", "sk-ant-api03-{93 url}AA"},
		{"artifactory-api-key", "AKCp{69 aAd}"},
		{"artifactory-reference-token", "cmVmd{59 aAd}"},
		{"authress-service-client-access-key", "sc_{12 ad}.{5 ad}.acc-{20 ad}.{40 ad}"},
		{"aws-access-token", "AKIA{16 b32}"},
		{"aws-amazon-bedrock-api-key-long-lived", "ABSK{120 aAd}="},
		{"aws-amazon-bedrock-api-key-short-lived", "bedrock-api-key-" + "YmVkcm9jay5hbWF6b25hd3MuY29t"},
		{"azure-ad-client-secret", "{3 aAd}8Q~{32 aAd}"},
		{"clickhouse-cloud-api-secret-key", "4b1d{38 aAd}"},
		{"clojars-api-token", "CLOJARS_{60 ad}"},
		{"cloudflare-origin-ca-key", "v1.0-{24 hex}-{146 hex}"},
		{"databricks-api-token", "dapi{32 hex}"},
		{"digitalocean-access-token", "doo_v1_{64 hex}"},
		{"digitalocean-pat", "dop_v1_{64 hex}"},
		{"digitalocean-refresh-token", "dor_v1_{64 hex}"},
		{"doppler-api-token", "dp.pt.{43 ad}"},
		{"duffel-api-token", "duffel_live_{43 ad}"},
		{"dynatrace-api-token", "dt0c01.{24 ad}.{64 ad}"},
		{"easypost-api-token", "EZAK{54 ad}"},
		{"easypost-test-api-token", "EZTK{54 ad}"},
		{"facebook-access-token", "{15 d}|{30 ad}"},
		{"facebook-page-access-token", "EAAM{120 ad}"},
		{"flutterwave-encryption-key", "FLWSECK_TEST-{12 hex}"},
		{"flutterwave-public-key", "FLWPUBK_TEST-{32 hex}-X"},
		{"flutterwave-secret-key", "FLWSECK_TEST-{32 hex}-X"},
		{"flyio-access-token", "fo1_{43 url}"},
		{"frameio-api-token", "fio-u-{64 url}"},
		{"gcp-api-key", "AIza{35 url}"},
		{"github-app-token", "ghs_{36 aAd}"},
		{"github-fine-grained-pat", "github_pat_{82 aAd}"},
		{"github-oauth", "gho_{36 aAd}"},
		{"github-pat", "ghp_{36 aAd}"},
		{"github-refresh-token", "ghr_{36 aAd}"},
		{"gitlab-cicd-job-token", "glcbt-{2 ad}_{20 url}"},
		{"gitlab-deploy-token", "gldt-{20 url}"},
		{"gitlab-feature-flag-client-token", "glffct-{20 url}"},
		{"gitlab-feed-token", "glft-{20 url}"},
		{"gitlab-incoming-mail-token", "glimt-{25 url}"},
		{"gitlab-kubernetes-agent-token", "glagent-{50 url}"},
		{"gitlab-oauth-app-secret", "gloas-{64 url}"},
		{"gitlab-pat", "glpat-{20 url}"},
		{"gitlab-ptt", "glptt-{40 hex}"},
		{"gitlab-rrt", "GR1348941{20 url}"},
		{"gitlab-runner-authentication-token", "glrt-{20 url}"},
		{"gitlab-scim-token", "glsoat-{20 url}"},
		{"gitlab-session-cookie", "_gitlab_session={32 ad}"},
		{"grafana-api-key", "eyJrIjoi" + "{80 aAd}"},
		{"grafana-cloud-api-token", "glc_{60 aAd}"},
		{"grafana-service-account-token", "glsa_{32 aAd}_{8 hex}"},
		{"harness-api-key", "pat.{22 url}.{24 aAd}.{20 aAd}"},
		{"hashicorp-tf-api-token", "{14 aAd}.atlasv1.{64 url}"},
		{"heroku-api-key-v2", "HRKU-AA{58 url}"},
		{"huggingface-access-token", "hf_{34 a}"},
		{"huggingface-organization-api-token", "api_org_{34 a}"},
		{"infracost-api-token", "ico-{32 aAd}"},
		{"intra42-client-secret", "s-s4t2ud-{64 hex}"},
		{"jwt", "eyJ{20 aAd}.eyJ{40 aAd}.{43 url}"},
		{"jwt-base64", "ZXlK" + "aGJHY2lPaU{100 aAd}"},
		{"linear-api-key", "lin_api_{40 ad}"},
		{"maxmind-license-key", "{6 aAd}_{29 aAd}_mmk"},
		{"microsoft-teams-webhook", "https://acme.webhook.office.com/webhookb2/{8 ad}-{4 ad}-{4 ad}-{4 ad}-{12 ad}@{8 ad}-{4 ad}-{4 ad}-{4 ad}-{12 ad}/IncomingWebhook/{32 ad}/{8 ad}-{4 ad}-{4 ad}-{4 ad}-{12 ad}"},
		{"notion-api-token", "ntn_{11 d}{35 aAd}"},
		{"npm-access-token", "npm_{36 ad}"},
		{"octopus-deploy-api-key", "API-{26 AD}"},
		{"openai-api-key", "sk-proj-{74 url}T3Blbk" + "FJ{74 url}"},
		{"openshift-user-token", "sha256~{43 url}"},
		{"perplexity-api-key", "pplx-{48 aAd}"},
		{"planetscale-api-token", "pscale_tkn_{43 aAd}"},
		{"planetscale-password", "pscale_pw_{43 aAd}"},
		{"postman-api-token", "PMAK-{24 hex}-{34 hex}"},
		{"prefect-api-token", "pnu_{36 aAd}"},
		{"pulumi-api-token", "pul-{40 hex}"},
		{"pypi-upload-token", "pypi-AgEIcHlwaS5v" + "cmc{80 url}"},
		{"readme-api-token", "rdme_{70 ad}"},
		{"rubygems-api-token", "rubygems_{48 hex}"},
		{"scalingo-api-token", "tk-us-{48 url}"},
		{"sendgrid-api-token", "SG.{22 url}.{43 url}"},
		{"sendinblue-api-token", "xkeysib-{64 hex}-{16 ad}"},
		{"sentry-user-token", "sntryu_{64 hex}"},
		{"shippo-api-token", "shippo_live_{40 hex}"},
		{"shopify-access-token", "shpat_{32 hex}"},
		{"slack-app-token", "xapp-1-A{10 AD}-{13 d}-{64 hex}"},
		{"slack-bot-token", "xoxb-{12 d}-{13 d}-{24 aAd}"},
		{"slack-webhook-url", "https://hooks.slack.com/services/T{10 AD}/B{10 AD}/{24 aAd}"},
		{"sourcegraph-access-token", "{40 hex}"}, // looks like the id of a commit: cannot be told from one
	}
}

// more are formats beyond these.
func more() []tokenFact {
	return []tokenFact{
		{"settlemint", "sm_pat_{16 aAd}"},
		{"shopify-custom", "shpca_{32 hex}"},
		{"shopify-private", "shppa_{32 hex}"},
		{"shopify-shared", "shpss_{32 hex}"},
		{"slack-user", "xoxp-{12 d}-{12 d}-{12 d}-{32 hex}"},
		{"slack-config", "xoxe.xoxp-1-{160 AD}"},
		{"sourcegraph", "sgp_{40 hex}"},
		{"square", "EAAA{60 url}"},
		{"square-oauth", "sq0atp-{22 url}"},
		{"stripe", "sk_" + "live_{24 aAd}"},
		{"twilio", "SK{32 hex}"},
		{"vault-service", "hvs.{95 url}"},
		{"vault-batch", "hvb.{140 url}"},
		{"vault-legacy", "s.{24 aAd}"},
		{"groq", "gsk_{52 aAd}"},
		{"xai", "xai-{80 aAd}"},
		{"nvidia", "nvapi-{64 url}"},
		{"langsmith", "lsv2_pt_{32 hex}_{10 hex}"},
		{"replicate", "r8_{37 aAd}"},
		{"google-oauth", "GOCSPX-{28 url}"},
		{"azure-storage", "AccountKey={86 aAd}=="},
		{"telegram", "{10 d}:AA{33 url}"},
		{"discord", "MTA{23 aAd}.{6 url}.{38 url}"},
		{"mailchimp", "{32 hex}-us12"},
		{"mailgun", "key-{32 hex}"},
		{"newrelic", "NRAK-{27 AD}"},
		{"notion-old", "secret_{43 aAd}"},
		{"docker", "dckr_pat_{27 url}"},
		{"figma", "figd_{42 url}"},
		{"supabase", "sbp_{40 hex}"},
		{"tailscale", "tskey-auth-{12 aAd}-{32 aAd}"},
		{"atlassian", "ATATT3{186 url}"},
		{"dropbox", "sl.{135 url}"},
	}
}

var sets = map[string]string{
	"a": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "d": "0123456789", "ad": "abcdefghijklmnopqrstuvwxyz0123456789",
	"AD": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "aAd": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "hex": "0123456789abcdef",
	"b32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "bech": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
	"url": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
}

// build returns a random token of a form. Its last character is a letter or a digit,
// because a dash at the end belongs to the sentence.
func build(tb testing.TB, random *rand.Rand, form string) string {
	tb.Helper()
	var b strings.Builder
	for form != "" {
		literal, rest, found := strings.Cut(form, "{")
		b.WriteString(literal)
		if !found {
			break
		}
		spec, after, _ := strings.Cut(rest, "}")
		count, set, _ := strings.Cut(spec, " ")
		n, err := strconv.Atoi(count)
		if err != nil || sets[set] == "" {
			tb.Fatalf("form %q", form)
		}
		for i := range n {
			chars := sets[set]
			if set == "url" && (i == 0 || i == n-1) {
				chars = sets["aAd"]
			}
			b.WriteByte(chars[random.IntN(len(chars))])
		}
		form = after
	}
	return b.String()
}

// TestServices puts a token of each format bare in prose, in JSON and at the end of a
// sentence.
func TestServices(t *testing.T) {
	t.Parallel()
	const fewest = 91 // of the 92; the last one looks like the id of a commit
	d, err := redact.NewDetector([]string{"secret"})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	found := func(f tokenFact) bool {
		for range 20 {
			token := build(t, random, f.form)
			for _, around := range [...][2]string{{"Use ", " to log in."}, {"It is ", "."}, {`{"a":"`, `"}`}, {"(", ")"}, {"", ""}, {"`", "`"}} {
				text := around[0] + token + around[1]
				covered := 0
				for _, m := range d.Find(text) {
					covered += min(m.End, len(around[0])+len(token)) - max(m.Start, len(around[0]))
				}
				// What stands before the secret in a URL may stay.
				if covered < len(token) && (covered == 0 || !strings.HasPrefix(token, "https://")) {
					t.Logf("%s: %d of %d bytes found in %q", f.rule, covered, len(token), text)
					return false
				}
			}
		}
		return true
	}
	if n := len(facts()); n != 92 {
		t.Errorf("%d formats, want 92", n)
	}
	n := 0
	for _, f := range facts() {
		if found(f) {
			n++
		}
	}
	if n < fewest {
		t.Errorf("%d of %d formats found, want %d", n, len(facts()), fewest)
	}
	t.Logf("%d of %d formats found", n, len(facts()))
	for _, f := range more() {
		if !found(f) {
			t.Errorf("%s is not found", f.rule)
		}
	}
}
