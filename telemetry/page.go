package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// maxScrapes bounds the pages that are made at once.
const maxScrapes = 3

// ServeHTTP answers with a page of all metrics, in OpenMetrics or in Prometheus' own
// format, as the client likes. There is no third: to a client that asks for protocol
// buffers, which are not smaller here, the text is an answer that it can read.
//
// The page is not compressed, because that costs several times what making it does, and a
// client asks every few seconds.
func (x *exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case x.scrapes <- struct{}{}:
		defer func() { <-x.scrapes }()
	default:
		http.Error(w, fmt.Sprintf("%d clients are being answered already", maxScrapes), http.StatusServiceUnavailable)
		return
	}
	format := expfmt.NegotiateIncludingOpenMetrics(r.Header)
	open := format.FormatType() == expfmt.TypeOpenMetrics
	if !open {
		format = expfmt.NewFormat(expfmt.TypeTextPlain)
	}
	// What others count comes first, because it may fail.
	families, err := x.process.Gather()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if open {
		families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == openDuplicate })
	}
	w.Header().Set("Content-Type", string(format))
	if err := encode(w, format, append(families, x.target)); err != nil {
		return // the client is gone
	}
	buf, _ := x.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer x.buffers.Put(buf)
	for f := range x.meter.families() {
		*buf = f.append((*buf)[:0], open)
		if _, err := w.Write(*buf); err != nil {
			return
		}
	}
	if open {
		_, _ = io.WriteString(w, "# EOF\n")
	}
}

// openDuplicate is a gauge of Go's runtime. In OpenMetrics the counter of the same name
// and _total is called so too, and strict readers, such as that of Datadog's agent, refuse
// a page with both. Its value is go_memstats_heap_alloc_bytes too.
const openDuplicate = "go_memstats_alloc_bytes"

// encode writes families with Prometheus' own encoder, which has to be told where the page
// ends; it does not end here.
func encode(w io.Writer, format expfmt.Format, families []*dto.MetricFamily) error {
	var b bytes.Buffer
	to := expfmt.NewEncoder(&b, format)
	for _, f := range families {
		if err := to.Encode(f); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Escapes of the two formats: of label values and of OpenMetrics' help, and of the help of
// Prometheus' own.
var (
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

// append appends the family as it is now, as the formats want it; nothing when it has no
// series.
func (f *family) append(b []byte, open bool) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sorted) == 0 {
		return b
	}
	name, help := f.name, helpEscapes.Replace(f.help)
	if open {
		name, help = strings.TrimSuffix(name, totalSuffix), labelEscapes.Replace(f.help)
	}
	b = append(b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+f.typeName()+"\n"...)
	if f.kind == TypeDistribution {
		return f.appendHistograms(b, open)
	}
	for _, s := range f.sorted {
		b = append(b, f.name...)
		if s.labels != "" {
			b = append(append(append(b, '{'), s.labels...), '}')
		}
		b = append(appendFloat(append(b, ' '), s.value, open), '\n')
	}
	return b
}

// appendHistograms appends the series of a histogram. The caller holds mu.
func (f *family) appendHistograms(b []byte, open bool) []byte {
	bucket, sum, count := f.name+"_bucket{", f.name+"_sum", f.name+"_count"
	bounds := make([]string, len(f.bounds)+1)
	for i := range bounds {
		bound := math.Inf(1)
		if i < len(f.bounds) {
			bound = f.bounds[i]
		}
		bounds[i] = `le="` + string(appendFloat(nil, bound, open)) + `"} `
	}
	for _, s := range f.sorted {
		start, labels := bucket, ""
		if s.labels != "" {
			start, labels = bucket+s.labels+",", "{"+s.labels+"}"
		}
		var total uint64
		for i, n := range s.buckets {
			total += n
			b = append(append(b, start...), bounds[i]...)
			b = append(strconv.AppendUint(b, total, 10), '\n')
		}
		b = append(append(append(b, sum...), labels...), ' ')
		b = append(appendFloat(b, s.value, open), '\n')
		b = append(append(append(b, count...), labels...), ' ')
		b = append(strconv.AppendUint(b, total, 10), '\n')
	}
	return b
}

func (f *family) typeName() string {
	switch f.kind {
	case TypeCount:
		return "counter"
	case TypeGauge:
		return "gauge"
	default:
		return "histogram"
	}
}

// appendFloat appends a number; OpenMetrics wants to see that it is no integer.
func appendFloat(b []byte, v float64, open bool) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	case math.IsNaN(v):
		return append(b, "NaN"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	if open && !bytes.ContainsAny(b[start:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}
