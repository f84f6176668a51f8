package clients

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

var update = flag.Bool("update", false, "write the tables that the clients' tests read")

// mediaCase is a value of content and what is published of it.
type mediaCase struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	Want  json.RawMessage `json:"want"`
}

// TestMediaTable: clients/testdata/media.json, which the tests of all clients read, says
// what the emitter does with media.
func TestMediaTable(t *testing.T) {
	t.Parallel()
	var table []mediaCase
	for _, c := range mediaCases() {
		if !json.Valid([]byte(c[1])) {
			t.Fatalf("%s is no JSON", c[0])
		}
		table = append(table, mediaCase{c[0], json.RawMessage(c[1]), event.ReplaceMedia([]byte(c[1]))})
	}
	checkTable(t, "media.json", table)
}

// mediaCases returns names and values.
func mediaCases() [][2]string {
	data := make([]byte, 1000)
	for i := range data {
		data[i] = byte(i*31 + i>>3)
	}
	std, url := base64.StdEncoding, base64.URLEncoding
	text := std.EncodeToString(data[:300])
	lines := func(n int, line, end string) string {
		out, rest := "", std.EncodeToString(data[:n])
		for ; len(rest) > 76; rest = rest[76:] {
			out += rest[:76] + end
		}
		return out + rest + line
	}
	image := func(data string) string { return `{"type":"image","mimeType":"image/png","data":"` + data + `"}` }
	nested := `[{"role":"user","at":12345678901234567890,"content":[` + image(text) + `]}]`
	quoted := func(s string) string {
		b, _ := json.Marshal(s) // a text
		return string(b)
	}
	cases := [][2]string{
		{"a data URL in a text", `"See ![](data:image/png;base64,` + text + `), please."`},
		{"two data URLs in a text", `"data:image/png;base64,` + text + ` and data:;base64,` + std.EncodeToString(data[:301]) + `"`},
		{"a data URL with parameters", `"data:image/png;name=jane.png;base64,` + text + `"`},
		{"a type in capitals", `"data:IMAGE/PNG;base64,` + text + `"`},
		{"a type that is none", `"data:im age;base64,` + text + `"`},
		{"a data URL that is shorter than 256", `"data:image/png;base64,` + std.EncodeToString(data[:189]) + `"`},
		{"a data URL of 256", `"data:image/png;base64,` + std.EncodeToString(data[:192]) + `"`},
		{"base64 that is shorter than 256", image(std.EncodeToString(data[:189]))},
		{"base64 of 256", image(std.EncodeToString(data[:192]))},
		{"without padding", image(strings.TrimRight(std.EncodeToString(data[:301]), "="))},
		{"the alphabet of URLs", image(url.EncodeToString(data[:301]))},
		{"both alphabets", image(text + "+/-_")},
		{"a length that base64 does not have", image(text + "A")},
		{"lines of MIME", image(lines(300, "", `\r\n`))},
		{"lines of MIME, with an end", image(lines(301, `\n`, `\n`))},
		{"full lines of MIME", image(lines(57*5, `\n`, `\n`))},
		{"a data URL in lines", `"data:image/png;base64,` + lines(300, `\nLook.`, `\n`) + `"`},
		{"a data URL before a line", `"data:image/png;base64,` + text + `\nLook."`},
		{"short lines", image(text[:40] + `\n` + text[:40] + `\n` + text)},
		{"a chat in a string", quoted(nested)},
		{"a string in a string", quoted(`{"chat": ` + quoted(nested) + `, "n": 1.50}`)},
		{"lines of MIME in a string", quoted(image(lines(300, "", `\n`)))},
		{"escapes in a string", quoted(image(strings.ReplaceAll(text, "/", `\/`)))},
		{"a type that is a picture", `{"media_type":"data:image/png;base64,` + text + `","image":"` + text + `"}`},
		{"broken JSON in a string", quoted(nested[1:])},
		{"a picture of a tool", `{"object":"response","output":[{"type":"image_generation_call","result":"` + text + `"}]}`},
		{"a result of a tool", `{"type":"function_call_output","result":"` + text + `"}`},
		{"a result with a type", `{"mime_type":"image/png","result":"` + text + `"}`},
		{"a parameter that may name the file", `{"media_type":"image/png; name=a","data":"` + text + `"}`},
		{"a type behind the data", `{"source":{"data":"` + text + `","media_type":"image/png"}}`},
		{"types of parts", `[{"type":"input-audio","data":"` + text + `"},{"type":"VIDEO","url":"` + text + `"},{"type":"document","file":"` + text + `"},{"type":"text","data":"` + text + `"}]`},
		{"a text with a type", `{"type":"text","mediaType":"text/plain","data":"` + text + `"}`},
		{"Bedrock", `{"document":{"format":"pdf","name":"a","source":{"bytes":"` + text + `"}}}`},
		{"lists", `{"images":["` + text + `",["` + text + `"]],"image":["` + text + `"],"data":["` + text + `"],"content":["` + text + `"]}`},
		{"names", `{"b64_json":"` + text + `","imageBytes":"` + text + `","bytes-base64-encoded":"` + text + `","data":"` + text + `","File_Data":{"url":"` + text + `"}}`},
		{"OpenAI", `[{"type":"input_audio","input_audio":{"data":"` + text + `","format":"wav"}},{"type":"file","file":{"file_data":"` + text + `"}},{"audio":{"id":"a","data":"` + text + `"}}]`},
		{"Gemini", `{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + text + `"}},{"text":"a","thoughtSignature":"` + text + `"}]}`},
		{"Vercel", `[{"type":"image","image":"` + text + `"},{"type":"file","mediaType":"application/pdf","data":"` + text + `"}]`},
		{"a whole text", `"` + text + `"`},
		{"own names", `{"authorization":"` + text + `","data":"` + text + `","id":3}`},
		{"what has been replaced", `{"type":"image","data":"data:image/png;size=300;sha256=` + strings.Repeat("ab", 32) + `;base64,"}`},
		{"a long word", `{"type":"image","data":"` + strings.Repeat("a", 255) + ` a"}`},
		{"a URL", `{"image_url":{"url":"https://example.com/` + strings.Repeat("a", 400) + `"}}`},
		{"other texts", `["` + strings.Repeat("é", 400) + `", null, true, 1, "", ";base64,", "{", "data:;base64,"]`},
	}
	return cases
}

// userCase is a user's id and what is published of it.
type userCase struct {
	User string `json:"user"`
	Key  string `json:"key"` // EVALWORKER_USER_KEY
	Hash string `json:"hash"`
}

// TestUserTable: clients/testdata/user.json has the hash of users, which is the same in
// all languages, so that requests of one user meet.
func TestUserTable(t *testing.T) {
	t.Parallel()
	var table []userCase
	for _, user := range []string{"alice@example.com", "7", " Ada ", "Zoë", "用户", ""} {
		table = append(table, userCase{user, "", openai.UserIDHash(user)})
		if user == "" {
			continue
		}
		for _, key := range []string{"k1", "schlüssel", strings.Repeat("k", 100)} {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(user))
			table = append(table, userCase{user, key, hex.EncodeToString(mac.Sum(nil))})
		}
	}
	checkTable(t, "user.json", table)
}

// checkTable compares a table with its file, or writes it.
func checkTable[T any](t *testing.T, name string, table []T) {
	t.Helper()
	var out bytes.Buffer
	for i, c := range table {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(c); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s%s", []string{"[", ","}[min(i, 1)], line.String())
	}
	out.WriteString("]\n")
	file := "../../clients/testdata/" + name
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, out.Bytes()) {
		t.Errorf("%s is not what the emitter does; write it: go test ./test/clients -run Table -update", file)
	}
}
