package telemetry

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MetricsDoc gives the reference of all metrics as Markdown, made from the
// table.
func MetricsDoc() []byte {
	var b bytes.Buffer
	b.WriteString(`# Metrics

Generated from the table in the package telemetry. Do not edit.

**dims** stands for the tags ` + codeList(dimKeys) + `. A tag whose value is not known is
left out. Every metric also carries ` + "`service` and `version`" + `. Where DD_ENV is set, it is the ` + "`env`" + ` of every metric;
otherwise ` + "`env`" + ` is the event's environment.

Tag values are lower case, at most 200 bytes, of letters and digits of any script and ` + "`_ . / - :`" + `. The first
` + "`max_tag_values`" + ` values of a key keep their names; later ones become ` + "`other`" + `, and the log says so once a key.

Distributions send every value, so sums are exact. Enable percentiles in Datadog for those that need them.

| metric | type | unit | tags | meaning |
|---|---|---|---|---|
`)
	metrics := Metrics()
	slices.SortStableFunc(metrics, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, cmp.Or(m.Unit, "-"), tagsDoc(m.Tags), strings.ReplaceAll(m.Help, "|", "\\|"))
	}
	return b.Bytes()
}

func tagsDoc(keys []string) string {
	if len(keys) >= len(dimKeys) && slices.Equal(keys[:len(dimKeys)], dimKeys) {
		if own := keys[len(dimKeys):]; len(own) > 0 {
			return "dims, " + codeList(own)
		}
		return "dims"
	}
	return cmp.Or(codeList(keys), "-")
}

func codeList(keys []string) string {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = "`" + k + "`"
	}
	return strings.Join(quoted, ", ")
}
