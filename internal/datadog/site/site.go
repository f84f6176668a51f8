package site

import (
	"cmp"
	"regexp"
	"strings"
)

// Variable is the environment variable that names a site.
const Variable = "DD_SITE"

// fallback is the site of an organisation that names none.
const fallback = "datadoghq.com"

// domain matches the sites, also those to come; app. and api. are hosts of one.
var domain = regexp.MustCompile(`^([a-z0-9-]+\.)?(datadoghq\.com|datadoghq\.eu|ddog-gov\.com)$`)

// Of returns the site that a value of the variable means, and whether it is one of
// Datadog's.
func Of(value string) (site string, ok bool) {
	site = cmp.Or(strings.ToLower(strings.TrimSpace(value)), fallback)
	return site, domain.MatchString(site) && !strings.HasPrefix(site, "app.") && !strings.HasPrefix(site, "api.")
}

// Want says what a value has to look like.
const Want = "want its domain without app., such as datadoghq.eu or us5.datadoghq.com"
