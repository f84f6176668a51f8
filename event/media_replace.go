package event

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// ReplaceMedia returns a JSON value in which pictures, sounds, videos and files are
// replaced by a digest, their type and their size:
//
//	data:image/png;size=51234;sha256=2c26b46b...;base64,
//
// That is a data URL without its data, so readers of messages still see a picture, with
// the size that it had. Data URLs are replaced wherever they stand in a string, and other
// base64 where providers write media: in the parts of OpenAI, Anthropic, Gemini, Bedrock,
// Ollama, LangChain and the Vercel AI SDK, also in JSON that a string holds. The digest
// is that of the bytes, so equal pictures stay equal; it is left out when the base64 is
// broken.
//
// Everything else stays byte for byte. A value without media, and data that is no JSON,
// is returned itself; finding out that there is none takes a look at few of the bytes.
func ReplaceMedia(data []byte) []byte { return replaceMedia(data, maxMediaTexts) }

// maxMediaTexts bounds how often JSON may stand in a string of JSON.
const maxMediaTexts = 3

func replaceMedia(data []byte, texts int) []byte {
	if !mayHoldMedia(data) {
		return data
	}
	w := mediaWalk{data: data, texts: texts, scan: jsonscan.New(data, 0)}
	w.scan.LimitDepth(MaxDepth)
	w.scan.AllowNonFinite()
	for t, ok := w.scan.Next(); ok; t, ok = w.scan.Next() {
		w.token(t)
	}
	if !w.scan.Whole() || len(w.edits) == 0 {
		return data
	}
	slices.SortFunc(w.edits, func(a, b mediaEdit) int { return cmp.Compare(a.start, b.start) })
	size := len(data)
	for _, e := range w.edits {
		size += len(e.text) - (e.end - e.start)
	}
	out, at := make([]byte, 0, size), 0
	for _, e := range w.edits {
		out = append(append(out, data[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, data[at:]...)
}

// ReplaceMedia replaces pictures, sounds, videos and files in the content of the event,
// as the function of this name does in JSON. It changes nothing that another copy of the
// event shares.
func (e *Event) ReplaceMedia() {
	for _, c := range [...]*Content{&e.Input, &e.Output, &e.Expected, &e.Tools} {
		c.replaceMedia()
	}
	e.Comment = replaceURLs(e.Comment)
	if r := e.Retrieval; r != nil {
		if query := replaceURLs(r.Query); len(query) != len(r.Query) {
			e.Retrieval = &Retrieval{}
			*e.Retrieval = *r
			e.Retrieval.Query = query
		}
		e.replaceInChunks()
	}
	e.replaceInCalls()
}

// replaceInCalls replaces media in arguments and results.
func (e *Event) replaceInCalls() {
	own := false // the list has been copied, with the first call that changes
	for i := range e.ToolCalls {
		c := e.ToolCalls[i]
		if a, b := c.Arguments.replaceMedia(), c.Result.replaceMedia(); !a && !b {
			continue
		}
		if !own {
			e.ToolCalls, own = slices.Clone(e.ToolCalls), true
		}
		e.ToolCalls[i] = c
	}
}

// replaceInChunks replaces the data URLs in passages.
func (e *Event) replaceInChunks() {
	var chunks []Chunk // copied with the first one that changes
	for i := range e.Retrieval.Chunks {
		text := replaceURLs(e.Retrieval.Chunks[i].Text)
		if len(text) == len(e.Retrieval.Chunks[i].Text) {
			continue
		}
		if chunks == nil {
			chunks = slices.Clone(e.Retrieval.Chunks)
		}
		chunks[i].Text = text
	}
	if chunks != nil {
		r := *e.Retrieval
		r.Chunks, e.Retrieval = chunks, &r
	}
}

// replaceMedia reports whether it has replaced anything.
func (c *Content) replaceMedia() bool {
	out := ReplaceMedia(c.raw)
	if len(out) == len(c.raw) { // what stands for media is shorter
		return false
	}
	*c = newContent(out)
	return true
}

// replaceURLs replaces the data URLs in a text.
func replaceURLs(s string) string {
	if !strings.Contains(s, dataMark) || !mayHoldMedia(s) {
		return s
	}
	w := mediaWalk{data: []byte(s)}
	if !w.urls(0, len(s)) {
		return s
	}
	var b strings.Builder
	at := 0
	for _, e := range w.edits {
		b.WriteString(s[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(s[at:])
	return b.String()
}

// mediaWalk finds the media in a JSON value.
type mediaWalk struct {
	data  []byte
	scan  jsonscan.Scanner[[]byte]
	texts int // how often JSON may still stand in a string
	stack []mediaFrame
	edits []mediaEdit
	name  [maxMember]byte
}

// mediaEdit is a part of the data and what replaces it.
type mediaEdit struct {
	start, end int
	text       string
}

// mediaFrame is an open object or array.
type mediaFrame struct {
	under field // the member that holds the value, or the array around it
	key   field // the last member; of an array, under
	// What its members say it is.
	kind      partKind
	mediaType string
	// pending is base64 in a place of media, if this is media.
	pending []mediaEdit
	made    bool // pending is the picture that a tool has made
}

func (w *mediaWalk) token(t jsonscan.Token) {
	switch t.Kind {
	case jsonscan.Object:
		w.stack = append(w.stack, mediaFrame{under: w.key()})
	case jsonscan.Array:
		w.stack = append(w.stack, mediaFrame{under: w.key(), key: w.key()})
	case jsonscan.Close:
		w.close()
	case jsonscan.Key:
		w.stack[len(w.stack)-1].key = mediaField(foldMember(w.name[:0], w.data[t.Start:t.End]))
	case jsonscan.String:
		w.text(t)
	}
}

// mediaField returns the field of a folded name. Some names tell by themselves that the
// value is a picture, as the list of Ollama's pictures does.
func mediaField(name []byte) field {
	switch string(name) {
	case "b64json", "imagebytes", "bytesbase64encoded": // OpenAI, Google
		return fieldImages
	}
	return fieldOf(string(name))
}

// key returns the member under which the next value stands.
func (w *mediaWalk) key() field {
	if len(w.stack) == 0 {
		return fieldOther
	}
	return w.stack[len(w.stack)-1].key
}

func (w *mediaWalk) text(t jsonscan.Token) {
	raw := w.data[t.Start:t.End]
	if len(raw) < shortestMedia {
		w.fact(raw)
		return
	}
	if !mayHoldMedia(raw) || w.json(t) || w.urls(t.Start+1, t.End-1) {
		return
	}
	inside := w.data[:t.End-1]
	end := mediaEnd(inside, t.Start+1)
	if rest := bytes.TrimRight(inside[end:], `\nr`); len(rest) == 0 && len(w.stack) > 0 {
		w.whole(mediaEdit{start: t.Start + 1, end: t.End - 1})
	}
}

// fact takes from a short string what it says about the object that it stands in.
func (w *mediaWalk) fact(raw []byte) {
	if len(w.stack) == 0 {
		return
	}
	switch f := &w.stack[len(w.stack)-1]; f.key {
	case fieldMediaType:
		f.mediaType = stringOf(raw)
	case fieldType:
		f.kind = partKindOf(stringOf(raw))
	}
}

// whole notes a string that is base64 from end to end.
func (w *mediaWalk) whole(e mediaEdit) {
	f := &w.stack[len(w.stack)-1]
	switch f.key {
	case fieldImages:
		w.replace(e, "")
	case fieldResult: // of OpenAI's tool that makes pictures
		f.made = true
		f.pending = append(f.pending, e)
	case fieldData, fieldFileData, fieldImage, fieldImageURL, fieldInputAudio, fieldAudio, fieldVideo, fieldFile, fieldURL:
		f.pending = append(f.pending, e)
	}
}

// close replaces what the object that ends here holds, if it is media.
func (w *mediaWalk) close() {
	f := &w.stack[len(w.stack)-1]
	media := f.kind == partImage
	if !f.made {
		media = media || f.mediaType != "" || f.kind == partAudio || f.kind == partVideo || f.kind == partFile
		switch f.under {
		case fieldSource, fieldInlineData, fieldInputAudio, fieldAudio, fieldVideo, fieldFile, fieldFileData, fieldImage, fieldImageURL, fieldImages, fieldDocument:
			media = true
		}
	}
	if media {
		for _, e := range f.pending {
			w.replace(e, f.mediaType)
		}
	}
	w.stack = w.stack[:len(w.stack)-1]
}

// json replaces media in the JSON that a string holds, such as a chat.
func (w *mediaWalk) json(t jsonscan.Token) bool {
	first := bytes.TrimLeft(w.data[t.Start+1:t.End-1], ` nrt\`)
	if w.texts == 0 || len(first) == 0 || first[0] != '{' && first[0] != '[' {
		return false
	}
	inner := []byte(stringOf(w.data[t.Start:t.End]))
	out := replaceMedia(inner, w.texts-1)
	if len(out) == len(inner) {
		return false
	}
	w.edits = append(w.edits, mediaEdit{t.Start, t.End, string(Text(string(out)).raw)})
	return true
}

// dataMark stands in a data URL between its type and its data.
const dataMark = ";base64,"

// longestMediaType bounds what stands before the mark of a data URL, in bytes.
const longestMediaType = 256

// urls replaces the data URLs in a part of the data, and reports whether there was one.
func (w *mediaWalk) urls(start, end int) (found bool) {
	for at := start; ; {
		i := bytes.Index(w.data[at:end], []byte(dataMark))
		if i < 0 {
			return found
		}
		mark := at + i
		head, data := max(at, mark-longestMediaType), mark+len(dataMark)
		at = mediaEnd(w.data[:end], data)
		if scheme := bytes.LastIndex(w.data[head:mark], []byte("data:")); scheme >= 0 && at-data >= shortestMedia {
			head += scheme
			w.replace(mediaEdit{start: head, end: at, text: string(w.data[data:at])}, string(w.data[head+len("data:"):mark]))
			found = true
		}
	}
}

// replace replaces base64, which is the edit's text or else its part of the data.
func (w *mediaWalk) replace(e mediaEdit, mediaType string) {
	if e.text == "" {
		e.text = string(w.data[e.start:e.end])
	}
	mediaType, _, _ = strings.Cut(strings.ReplaceAll(mediaType, `\/`, "/"), ";") // parameters may name the file
	if strings.Trim(strings.ToLower(mediaType), "abcdefghijklmnopqrstuvwxyz0123456789/+.-") != "" || len(mediaType) > longestMediaType/2 {
		mediaType = ""
	}
	size, sum := mediaDigest(e.text)
	e.text = "data:" + mediaType + sizeMark + strconv.Itoa(size)
	if sum != "" {
		e.text += ";sha256=" + sum
	}
	e.text += dataMark
	w.edits = append(w.edits, e)
}

// sizeMark stands before the size in what replaces media.
const sizeMark = ";size="

// replacedSize returns the media type and the size in what stands before the mark of a
// data URL. The size is 0 where the data itself follows.
func replacedSize(head string) (mediaType string, size int) {
	mediaType, rest, _ := strings.Cut(strings.TrimPrefix(head, "data:"), ";")
	for parameter := range strings.SplitSeq(rest, ";") {
		if digits, ok := strings.CutPrefix(parameter, sizeMark[1:]); ok {
			if n, err := strconv.Atoi(digits); err == nil && n > 0 {
				size = n
			}
		}
	}
	return mediaType, size
}
