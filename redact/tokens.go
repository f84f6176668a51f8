package redact

// tokenFormat is the form of the tokens of a service.
type tokenFormat struct {
	kind    string
	service string
	formats []string // in the notation of parseFormat; each begins with two characters of its own
}

// apiToken is the kind of the tokens of services that have no kind of their own.
const apiToken = "api_token"

// tokenFormats returns the forms of the tokens that can be told by their first
// letters. The forms are facts: what the services document, and what the public
// scanners gitleaks and GitHub secret scanning, and the services' own libraries, say.
func tokenFormats() []tokenFormat {
	return []tokenFormat{
		{"aws_access_key", "AWS access key id", []string{"AKIA{U16}", "ASIA{U16}", "ABIA{U16}", "ACCA{U16}", "A3T{A1}{U16}"}},
		{"google_api_key", "Google API key", []string{"AIza{u35}"}},
		{"github_token", "GitHub token", []string{"ghp_{w36+}", "gho_{w36+}", "ghu_{w36+}", "ghs_{w36+}", "ghr_{w36+}", "github_pat_{u22+}"}},
		{"gitlab_token", "GitLab token", []string{
			"glpat-{u20+}", "glpat-{u27+}.{a9}", "glrt-{u20+}", "glrt-{u27+}.{a9}", "gldt-{u20+}", "glffct-{u20+}", "glft-{u20+}", "glsoat-{u20+}",
			"glimt-{u25+}", "glagent-{u50+}", "gloas-{u64+}", "glptt-{h40}", "glcbt-{w1-5}_{u20+}", "glwt-{u20+}", "GR1348941{u20+}", "_gitlab_session={a32}",
		}},
		{"slack_token", "Slack token or webhook", []string{
			"xoxa-{k10+}", "xoxb-{k10+}", "xoxe-{k10+}", "xoxo-{k10+}", "xoxp-{k10+}", "xoxr-{k10+}", "xoxs-{k10+}", "xoxc-{k10+}", "xoxd-{x10+}",
			"xoxe.xoxb-{k20+}", "xoxe.xoxp-{k20+}", "xapp-{d1}-{w6+}-{d6+}-{w16+}",
			"hooks.slack.com/services/{b40+}", "hooks.slack.com/workflows/{b40+}", "hooks.slack.com/triggers/{b40+}",
		}},
		{"anthropic_key", "Anthropic API key", []string{"sk-ant-{u20+}"}},
		{"openai_key", "OpenAI API key, and keys of the same form", []string{"sk-{u20+}"}},
		{"stripe_key", "Stripe secret, restricted or signing key", []string{
			"sk_live_{w10+}", "sk_test_{w10+}", "sk_prod_{w10+}", "rk_live_{w10+}", "rk_test_{w10+}", "rk_prod_{w10+}", "whsec_{b24+}{=0-2}",
		}},

		// Models and data.
		{apiToken, "Hugging Face", []string{"hf_{w30-40}", "api_org_{w30-40}"}},
		{apiToken, "Groq", []string{"gsk_{w40+}"}},
		{apiToken, "xAI", []string{"xai-{w60+}"}},
		{apiToken, "Perplexity", []string{"pplx-{w40+}"}},
		{apiToken, "NVIDIA", []string{"nvapi-{u40+}"}},
		{apiToken, "Replicate", []string{"r8_{w37+}"}},
		{apiToken, "Fireworks", []string{"fw_{w22+}"}},
		{apiToken, "Cerebras", []string{"csk-{a40+}"}},
		{apiToken, "Tavily", []string{"tvly-{u28+}"}},
		{apiToken, "Firecrawl", []string{"fc-{h32}"}},
		{apiToken, "Jina", []string{"jina_{w40+}"}},
		{apiToken, "Voyage", []string{"pa-{u43}"}},
		{apiToken, "ElevenLabs", []string{"sk_{h48}"}},
		{apiToken, "Pinecone", []string{"pcsk_{u40+}"}},
		{apiToken, "LangSmith", []string{"lsv2_pt_{h32}_{h10}", "lsv2_sk_{h32}_{h10}"}},
		{apiToken, "Langfuse", []string{"sk-lf-{h8}-{h4}-{h4}-{h4}-{h12}"}},
		{apiToken, "Databricks", []string{"dapi{h32}", "dapi{h32}-{d1}"}},
		{apiToken, "Apify", []string{"apify_api_{w30+}"}},

		// Clouds and hosting.
		{apiToken, "AWS Bedrock", []string{"ABSK{b100+}{=0-2}", "bedrock-api-key-{b20+}{=0-2}"}},
		{apiToken, "Google OAuth", []string{"GOCSPX-{u28}", "ya29.{u30+}"}},
		{apiToken, "Azure storage", []string{"AccountKey={b86}{=2}", "SharedAccessKey={b43}{=1}"}},
		{apiToken, "Alibaba", []string{"LTAI{w12-26}"}},
		{apiToken, "Tencent", []string{"AKID{w32}"}},
		{apiToken, "Yandex", []string{"AQVN{u35-38}", "t1.{u80+}.{u86}"}},
		{apiToken, "Scaleway", []string{"SCW{A17}"}},
		{apiToken, "DigitalOcean", []string{"dop_v1_{h64}", "doo_v1_{h64}", "dor_v1_{h64}"}},
		{apiToken, "Heroku", []string{"HRKU-{u36+}"}},
		{apiToken, "Fly.io", []string{"fo1_{u43}", "fm1a_{b100+}{=0-3}", "fm1r_{b100+}{=0-3}", "fm2_{b100+}{=0-3}"}},
		{apiToken, "Netlify", []string{"nfp_{w36+}"}},
		{apiToken, "Supabase", []string{"sbp_{h40}", "sb_secret_{u20+}"}},
		{apiToken, "Cloudflare origin CA", []string{"v1.0-{h24}-{h146}"}},
		{apiToken, "PlanetScale", []string{"pscale_tkn_{x32+}", "pscale_oauth_{x32+}", "pscale_pw_{x32+}"}},
		{apiToken, "ClickHouse", []string{"4b1d{w38}"}},
		{apiToken, "Scalingo", []string{"tk-us-{u48}"}},
		{apiToken, "OpenShift", []string{"sha256~{u43}"}},
		{apiToken, "Tailscale", []string{"tskey-auth-{w10+}-{w20+}", "tskey-api-{w10+}-{w20+}", "tskey-client-{w10+}-{w20+}"}},

		// Building and running software.
		{apiToken, "npm", []string{"npm_{w36}"}},
		{apiToken, "PyPI", []string{"pypi-{u50+}"}},
		{apiToken, "RubyGems", []string{"rubygems_{h48}"}},
		{apiToken, "Clojars", []string{"CLOJARS_{w60}", "clojars_{w60}"}},
		{apiToken, "Docker", []string{"dckr_pat_{u27}", "dckr_oat_{u32}"}},
		{apiToken, "Artifactory", []string{"AKCp{w69}", "cmVmd{w59}"}},
		{apiToken, "Buildkite", []string{"bkua_{h40}"}},
		{apiToken, "CircleCI", []string{"CCIPAT_{w22}_{h40}", "CCIPRJ_{w22}_{h40}"}},
		{apiToken, "Harness", []string{"pat.{u22}.{w24}.{w20}", "sat.{u22}.{w24}.{w20}"}},
		{apiToken, "Octopus Deploy", []string{"API-{A25-32}"}},
		{apiToken, "Prefect", []string{"pnu_{w36}", "pnb_{w36}"}},
		{apiToken, "Pulumi", []string{"pul-{h40}"}},
		{apiToken, "Infracost", []string{"ico-{w32}"}},
		{apiToken, "Vault", []string{"hvs.{u24+}", "hvb.{u90+}", "hvr.{u24+}", "s.{w24}"}},
		{apiToken, "Doppler", []string{"dp.pt.{w40+}", "dp.st.{x40+}", "dp.ct.{w40+}", "dp.sa.{w40+}", "dp.scim.{w40+}", "dp.audit.{w40+}"}},
		{apiToken, "1Password", []string{"A3-{A6}-{A11}-{A5}-{A5}-{A5}", "A3-{A6}-{A6}-{A5}-{A5}-{A5}-{A5}", "ops_eyJ{b250+}{=0-3}"}},
		{apiToken, "age", []string{"AGE-SECRET-KEY-1{A58}"}},
		{apiToken, "Sonar", []string{"sqp_{h40}", "squ_{h40}", "sqa_{h40}"}},
		{apiToken, "Sourcegraph", []string{"sgp_{H40}", "sgp_{H16}_{H40}", "sgp_local_{H40}", "sgd_{H64}", "slk_{H64}"}},
		{apiToken, "SettleMint", []string{"sm_aat_{w16}", "sm_pat_{w16}", "sm_sat_{w16}"}},
		{apiToken, "Atlassian", []string{"ATATT3{x180+}", "ATCTT3{x180+}", "ATBB{w32}"}},

		// Watching software.
		{apiToken, "Dynatrace", []string{"dt0c01.{w24}.{w64}", "dt0s01.{w8+}.{w64}"}},
		{apiToken, "Grafana", []string{"glc_{b32+}{=0-3}", "glsa_{w32}_{H8}", "eyJrIjoi{w70+}{=0-3}"}},
		{apiToken, "New Relic", []string{"NRAK-{A27}", "NRJS-{h19}", "NRII-{u32}", "NRAA-{h27}"}},
		{apiToken, "Sentry", []string{"sntryu_{h64}", "sntrys_{q60+}"}},

		// Applications.
		{apiToken, "Airtable", []string{"pat{w14}.{h64}"}},
		{apiToken, "Adobe", []string{"p8e-{w32}"}},
		{apiToken, "Contentful", []string{"CFPAT-{u43}"}},
		{apiToken, "Figma", []string{"figd_{u40+}"}},
		{apiToken, "Frame.io", []string{"fio-u-{x64}"}},
		{apiToken, "HubSpot", []string{"pat-na1-{h8}-{h4}-{h4}-{h4}-{h12}", "pat-eu1-{h8}-{h4}-{h4}-{h4}-{h12}"}},
		{apiToken, "Linear", []string{"lin_api_{w40}", "lin_oauth_{h64}"}},
		{apiToken, "LaunchDarkly", []string{"sdk-{h8}-{h4}-{h4}-{h4}-{h12}", "api-{h8}-{h4}-{h4}-{h4}-{h12}"}},
		{apiToken, "Mapbox", []string{"sk.eyJ{u50+}.{u22}"}},
		{apiToken, "Notion", []string{"ntn_{w40+}", "secret_{w43}"}},
		{apiToken, "Postman", []string{"PMAK-{H24}-{H34}"}},
		{apiToken, "ReadMe", []string{"rdme_{a70}"}},
		{apiToken, "Typeform", []string{"tfp_{x40+}"}},
		{apiToken, "Authress", []string{
			"sc_{w5-30}.{w4-6}.acc{x12+}", "ext_{w5-30}.{w4-6}.acc{x12+}", "scauth_{w5-30}.{w4-6}.acc{x12+}", "authress_{w5-30}.{w4-6}.acc{x12+}",
		}},
		{apiToken, "42", []string{"s-s4t2ud-{h64}", "s-s4t2af-{h64}"}},

		// Messages.
		{apiToken, "SendGrid", []string{"SG.{x60+}"}},
		{apiToken, "Brevo", []string{"xkeysib-{h64}-{w16}", "xsmtpsib-{h64}-{w16}"}},
		{apiToken, "Mailgun", []string{"key-{h32}", "pubkey-{h32}"}},
		{apiToken, "Resend", []string{"re_{w8}_{w24}"}},
		{apiToken, "Twilio", []string{"SK{H32}"}},
		{apiToken, "Facebook", []string{"EAAM{w100+}", "EAAC{w100+}"}},
		{apiToken, "Discord", []string{ // they begin with the digits of an id, in base64
			"MD{u22-26}.{u6}.{u27-40}", "MT{u22-26}.{u6}.{u27-40}", "Mj{u22-26}.{u6}.{u27-40}", "Mz{u22-26}.{u6}.{u27-40}", "ND{u22-26}.{u6}.{u27-40}",
			"NT{u22-26}.{u6}.{u27-40}", "Nj{u22-26}.{u6}.{u27-40}", "Nz{u22-26}.{u6}.{u27-40}", "OD{u22-26}.{u6}.{u27-40}", "OT{u22-26}.{u6}.{u27-40}",
		}},
		{apiToken, "Dropbox", []string{"sl.{u100+}", "sl.u.{u100+}", "sl.B.{u100+}"}},
		{apiToken, "Discord webhook", []string{"discord.com/api/webhooks/{d17-20}/{u60+}", "discordapp.com/api/webhooks/{d17-20}/{u60+}"}},

		// Money and goods.
		{apiToken, "Duffel", []string{"duffel_test_{x43}", "duffel_live_{x43}"}},
		{apiToken, "EasyPost", []string{"EZAK{w54}", "EZTK{w54}"}},
		{apiToken, "Flutterwave", []string{"FLWSECK_TEST-{w12+}", "FLWSECK_TEST-{w32+}-X", "FLWSECK-{w12+}", "FLWSECK-{w32+}-X", "FLWPUBK_TEST-{w32+}-X"}},
		{apiToken, "Shippo", []string{"shippo_live_{H40}", "shippo_test_{H40}"}},
		{apiToken, "Shopify", []string{"shpat_{H32}", "shpca_{H32}", "shppa_{H32}", "shpss_{H32}"}},
		{apiToken, "Square", []string{"EAAA{u22-60}", "sq0atp-{u22}", "sq0csp-{u43}"}},
		{apiToken, "Plaid", []string{"access-sandbox-{h8}-{h4}-{h4}-{h4}-{h12}", "access-production-{h8}-{h4}-{h4}-{h4}-{h12}"}},
		{apiToken, "Lob", []string{"live_{h35}", "test_{h35}"}},
	}
}
