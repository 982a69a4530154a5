package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/usherd/usherd/clients/go/gateway"
)

func readAs(contentType, body string) gateway.Asked {
	return new(gateway.Reader).Question("POST", "/v1/x", http.Header{"Content-Type": {contentType}}, []byte(body))
}

func shown(text *string) string {
	if text == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *text)
}

func TestWhatIsNamedTwiceIsAskedAsWhatIsDenied(t *testing.T) {
	for body, want := range map[string]string{
		`{"user":"a","user":"b"}`:                                                   `none "" "\x00" "" false`,
		`{"litellm_metadata":{"user":"a"},"litellm_metadata":{}}`:                   `none "" "\x00" "" false`,
		`{"metadata":{"user_id":"a"},"metadata":{}}`:                                `none "" "\x00" "" true`,
		`{"metadata":{"user_id":"a","user_id":"b"}}`:                                `none "" "\x00" "" false`,
		`{"user":"a","metadata":{"user_id":"b","user_id":"c"}}`:                     `none "" "a" "" false`,
		`{"organization_id":"a","organization_id":"a"}`:                             `none "" "" "\x00" false`,
		`{"organization_id":7}`:                                                     `none "" "" "\x00" false`,
		`{"organization_id":null}`:                                                  `none "" "" "" false`,
		`{"guardrails":[],"guardrails":[]}`:                                         `none "" "" "" true`,
		`{"metadata":{"guardrails":0,"guardrails":0}}`:                              `none "" "" "" true`,
		`{"fallbacks":[],"fallbacks":[]}`:                                           `none "[\"\"]" "" "" false`,
		`{"fallbacks":[{"model":"a","model":"b"}]}`:                                 `none "[\"\"]" "" "" false`,
		`{"fallbacks":"o3"}`:                                                        `none "[\"\"]" "" "" false`,
		`{"fallbacks":["` + strings.Repeat("x", 70_000) + `"]}`:                     `none "[\"\"]" "" "" false`,
		`{"model":"a","` + strings.Repeat(`\u006d`, 1) + `odel":"a"}`:               `none "" "" "" false`,
		`{"model":"\ud800"}`:                                                        `none "" "" "" false`,
		`{"model":"gpt-4o","x":[1,{"model":"}"},"]"],"y":{"model":"o1"}}`:           `"gpt-4o" "" "" "" false`,
		` { "a" : [ ] , "model" : "gpt-4o" , "b" : { } , "guardrails" : { } } `:     `"gpt-4o" "" "" "" false`,
		`{"guardrails":-0.0e7,"model":"x\"\\"}`:                                     `"x\"\\" "" "" "" false`,
		`{"guardrails":1e-400}`:                                                     `none "" "" "" true`,
		`{"guardrails":" "}`:                                                        `none "" "" "" true`,
		`{"guardrails":{"a":1}}`:                                                    `none "" "" "" true`,
		`{"guardrails":true}`:                                                       `none "" "" "" true`,
		`{"model":"a",}`:                                                            `none "" "" "" false`,
		`{"model":"a" "b":1}`:                                                       `none "" "" "" false`,
		strings.Repeat("[", 20_000):                                                 `none "" "" "" false`,
		`{"model":"a","x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`: `"a" "" "" "" false`,
	} {
		asked := readAs("application/json", body)
		fallbacks := ""
		if asked.FallbackModels != nil {
			encoded, _ := json.Marshal(asked.FallbackModels)
			fallbacks = string(encoded)
		}
		got := fmt.Sprintf("%s %q %q %q %v", shown(asked.Model), fallbacks, asked.EndUserID, asked.OrganizationID,
			asked.ModifiesGuardrails)
		if got != want {
			t.Errorf("%s: got %s, want %s", body[:min(len(body), 80)], got, want)
		}
	}
}

func TestAFormIsReadAsAnObjectOfTexts(t *testing.T) {
	const urlencoded = "application/x-www-form-urlencoded"
	asked := readAs(urlencoded, "model=m&user=u&organization_id=o&guardrails=0&stream=true&metadata=x")
	if shown(asked.Model) != `"m"` || asked.EndUserID != "u" || asked.OrganizationID != "o" ||
		!asked.ModifiesGuardrails || asked.Stream {
		t.Errorf("got %s %q %q %v %v", shown(asked.Model), asked.EndUserID, asked.OrganizationID,
			asked.ModifiesGuardrails, asked.Stream)
	}
	for _, body := range []string{"model=%zz", "model=%ff", "%zz=1&model=m", strings.Repeat("a&", 10_000) + "model=m"} {
		if got := readAs(urlencoded, body).Model; got != nil {
			t.Errorf("%.20s: got %s", body, shown(got))
		}
	}
}

func part(heading, text string) string { return "--b\r\n" + heading + "\r\n\r\n" + text + "\r\n" }

func TestAMultipartFormThatCouldBeReadInTwoWaysNamesNothing(t *testing.T) {
	const kind, model = "multipart/form-data; boundary=b", `Content-Disposition: form-data; name="model"`
	for name, each := range map[string]struct{ kind, body, want string }{
		"plain":                 {kind, part(model, "m") + "--b--\r\n", `"m"`},
		"empty":                 {kind, part(model, "") + "--b--", `""`},
		"a text by its type":    {kind, part(model+"\r\nContent-Type: text/plain; charset=utf-8", "m") + "--b--", `"m"`},
		"another type":          {kind, part(model+"\r\nContent-Type: application/json", "m") + "--b--", "none"},
		"encoded once more":     {kind, part(model+"\r\nContent-Transfer-Encoding: base64", "bQ==") + "--b--", "none"},
		"twice":                 {kind, part(model, "m") + part(model, "n") + "--b--", "none"},
		"a file beside it":      {kind, part(model, "m") + part(model+`; filename="x"`, "n") + "--b--", "none"},
		"two names":             {kind, part(model+`; name="x"`, "m") + "--b--", "none"},
		"an encoded name":       {kind, part(`Content-Disposition: form-data; name*=utf-8''model`, "m") + "--b--", "none"},
		"an escaped name":       {kind, part(`Content-Disposition: form-data; name="mo\del"`, "m") + "--b--", "none"},
		"no name":               {kind, part(`Content-Disposition: form-data`, "m") + part(model, "m") + "--b--", "none"},
		"two dispositions":      {kind, part(model+"\r\n"+model, "m") + "--b--", "none"},
		"a preamble":            {kind, "x\r\n" + part(model, "m") + "--b--", "none"},
		"an epilogue":           {kind, part(model, "m") + "--b--\r\nx", "none"},
		"lines without returns": {kind, strings.ReplaceAll(part(model, "m")+"--b--", "\r", ""), "none"},
		"another boundary":      {kind + "; boundary=c", part(model, "m") + "--b--", "none"},
		"no boundary":           {"multipart/form-data", part(model, "m") + "--b--", "none"},
		"no UTF-8":              {kind, part(model, "\xff") + "--b--", "none"},
		"a longer boundary":     {kind, part(model, "m\r\n--bb") + "--b--", "none"},
		"too many parts":        {kind, strings.Repeat(part(`Content-Disposition: form-data; name="x"`, ""), 1001) + "--b--", "none"},
	} {
		if got := shown(readAs(each.kind, each.body).Model); got != each.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestAWebsocketIsAskedAboutAtItsHandshake(t *testing.T) {
	reader := gateway.Reader{Origins: []string{"https://ui.example"}}
	handshake := http.Header{"Upgrade": {"websocket"}, "Cookie": {"litellm_ui_token_1=a.b.c"}}
	if _, _, err := reader.Credential("GET", handshake); why(err) != "origin_not_allowed" {
		t.Errorf("a cookie of a page of anybody: %v", err)
	}
	handshake.Set("Origin", "https://ui.example")
	if token, _, err := reader.Credential("GET", handshake); token != "a.b.c" || err != nil {
		t.Errorf("got %v", err)
	}
	for target, want := range map[string]string{
		"/v1/realtime?model=gpt-4o&x=1":       `"gpt-4o"`,
		"/v1/realtime?model=gpt-4o&model=o3":  "none",
		"/v1/realtime?model=gpt-4o&mod%65l=a": "none",
		"/v1/realtime":                        "none",
		"/v1/realtime?model=%zz":              "none",
	} {
		if got := reader.Question("GET", target, handshake, nil); shown(got.Model) != want || got.Route != "/v1/realtime" {
			t.Errorf("%s: got %s on %s", target, shown(got.Model), got.Route)
		}
	}
	if got := reader.Question("GET", "/v1/realtime?model=gpt-4o", http.Header{}, nil); got.Model != nil {
		t.Errorf("without a handshake: %s", shown(got.Model))
	}
	for _, method := range []string{"POST", "GET"} {
		got := reader.Question(method, "/v1/chat/completions?model=gpt-4o", handshake, []byte(`{"model":"o3"}`))
		if shown(got.Model) != `"o3"` {
			t.Errorf("a %s with a body that says that it is a handshake: got %s", method, shown(got.Model))
		}
	}
}

func TestNothingIsBuiltOfALargeBodyButWhatIsRead(t *testing.T) {
	bodies := map[string]string{
		"application/json":                  `{"x":[` + strings.Repeat("{},", 5<<20) + `0],` + strings.Repeat(`"a":{},`, 1<<20) + `"model":"m"}`,
		"application/x-www-form-urlencoded": "model=m&x=" + strings.Repeat("a=b;", 5<<20),
		"multipart/form-data; boundary=b": part(`Content-Disposition: form-data; name="model"`, "m") +
			part(`Content-Disposition: form-data; name="f"; filename="f"`, strings.Repeat("\r\n--a", 4<<20)) + "--b--",
	}
	for kind, body := range bodies {
		raw, header := []byte(body), http.Header{"Content-Type": {kind}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		asked := new(gateway.Reader).Question("POST", "/", header, raw)
		runtime.ReadMemStats(&after)
		if shown(asked.Model) != `"m"` {
			t.Errorf("%s: got %s", kind, shown(asked.Model))
		}
		if built := after.TotalAlloc - before.TotalAlloc; built > 1<<20 {
			t.Errorf("%s: %d bytes were built of %d", kind, built, len(raw))
		}
	}
}

func TestABodyThatIsNotReadIsLeftAlone(t *testing.T) {
	request := received(t, "POST", "/v1/files", [][2]string{{"Content-Type", "application/octet-stream"}}, make([]byte, 5000))
	body := request.Body
	if _, err := (&gateway.Reader{MaxBody: 10}).Read(request); err != nil || request.Body != body {
		t.Errorf("it was read: %v", err)
	}
	for _, length := range []int64{5000, -1} {
		request = received(t, "POST", "/v1/x", nil, make([]byte, 5000))
		request.ContentLength = length
		if _, err := (&gateway.Reader{MaxBody: 10}).Read(request); why(err) != "body_too_large" {
			t.Errorf("got %v", err)
		}
	}
	request = received(t, "POST", "/v1/x", nil, make([]byte, 10))
	request.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{}))
	if _, err := new(gateway.Reader).Read(request); why(err) != "body_unreadable" {
		t.Errorf("got %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Whatever comes, nothing panics, and a model that is read is the one that Go's own reader finds.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"model":"a"}`, `{"model":"a","fallbacks":["b",{"model":"c"}],"metadata":{"user_id":"u"}}`, "model=a",
		part(`Content-Disposition: form-data; name="model"`, "m") + "--b--", `{"a":{"b":[1,"]}"]},"model":"\u0061"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=b"} {
			readAs(kind, body)
		}
		asked := readAs("application/json", body)
		if asked.Model == nil {
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(body), &other); err != nil || other["model"] != *asked.Model {
			t.Errorf("got %q, and %v, %v", *asked.Model, other["model"], err)
		}
	})
}
