package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"
)

// refused stands for what cannot be read with certainty where nothing would be less than what was asked: no field of a
// question takes it, so that it is denied.
const refused = "\x00"

// longestFallbacks is how many bytes of fallbacks are read: nobody has as many.
const longestFallbacks = 64 << 10

var inRoot = []string{
	"model", "stream", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id",
}

// said is what a body says of what is asked.
type said struct {
	model                 *string
	fallbacks             []string
	endUser, organization string
	guardrails, stream    bool
}

func (s *said) into(asked *Asked) {
	asked.Model, asked.FallbackModels = s.model, s.fallbacks
	asked.EndUserID, asked.OrganizationID = s.endUser, s.organization
	asked.ModifiesGuardrails = s.guardrails
}

type form int

const (
	unreadable form = iota
	jsonForm
	urlForm
	multipartForm
)

// formOf is the form of a body with these headers, and its content type.
func formOf(header http.Header) (form, string) {
	for _, each := range header.Values("Content-Encoding") {
		if each = strings.Trim(each, " \t"); each != "" && !strings.EqualFold(each, "identity") {
			return unreadable, ""
		}
	}
	contentType, found, sure := only(header, "Content-Type")
	if !found {
		return jsonForm, ""
	}
	if !isUTF8(contentType) {
		return unreadable, ""
	}
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.Trim(kind, " \t"))
	switch {
	case !sure:
		return unreadable, ""
	case kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
		return jsonForm, ""
	case kind == "application/x-www-form-urlencoded":
		return urlForm, ""
	case kind == "multipart/form-data":
		return multipartForm, contentType
	default:
		return unreadable, ""
	}
}

var utf8Form = regexp.MustCompile(`(?i);[ \t]*charset=(?:utf-?8|us-ascii|"utf-?8"|"us-ascii")[ \t]*(?:;|$)`)

// isUTF8 says whether nothing says that a body is in another charset: who goes by that reads other text in the same bytes.
func isUTF8(contentType string) bool {
	said := strings.Count(strings.ToLower(contentType), "charset")
	return said == 0 || said == 1 && utf8Form.MatchString(contentType)
}

// readBody reads a body, and the query with it if it is a form: FormValue gives both as one.
func readBody(header http.Header, body []byte, query string) said {
	if len(body) == 0 {
		return said{}
	}
	switch form, contentType := formOf(header); form {
	case jsonForm:
		return readJSON(body)
	case urlForm:
		found, ok := readURLForm(body, inRoot...)
		return found.with(query, ok).said()
	case multipartForm:
		found, ok := readMultipart(body, contentType, inRoot...)
		return found.with(query, ok).said()
	default:
		return said{}
	}
}

// with has the fields of a query, too; nothing if either could not be read.
func (f fields) with(query string, ok bool) fields {
	more, sure := readURLForm([]byte(query), inRoot...)
	if !ok || !sure {
		return nil
	}
	for name, texts := range more {
		f[name] = append(f[name], texts...)
	}
	return f
}

// said reads the fields of a form as the members of an object whose values are texts.
func (f fields) said() said {
	root := object{}
	for name, texts := range f {
		for _, text := range texts {
			// A text has no error.
			encoded, _ := json.Marshal(text)
			root[name] = append(root[name], encoded)
		}
	}
	return root.said()
}

func readJSON(body []byte) said {
	if !utf8.Valid(body) || !json.Valid(body) {
		return said{}
	}
	root, _ := readObject(body, inRoot...)
	return root.said()
}

func (o object) said() said {
	s := said{fallbacks: o.fallbacks(), organization: o.organization(), endUser: o.endUser()}
	if model, ok := o.text("model"); ok {
		s.model = &model
	}
	s.guardrails = o.asks("guardrails") || o.doubled("metadata") || o.inside("metadata", "guardrails").asks("guardrails")
	// Named twice it may be one.
	s.stream = string(o.only("stream")) == "true" || o.doubled("stream")
	return s
}

func (o object) doubled(name string) bool { return len(o[name]) > 1 }

// only is the value of a member that is named once.
func (o object) only(name string) json.RawMessage {
	if len(o[name]) != 1 {
		return nil
	}
	return o[name][0]
}

// text is a member that is named once and is a text.
func (o object) text(name string) (string, bool) { return textOf(o.only(name)) }

func textOf(raw json.RawMessage) (string, bool) {
	var value string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	// Half of a surrogate pair is no character: readers differ in what they make of it.
	return value, !strings.ContainsRune(value, utf8.RuneError)
}

// inside has a member of a member that is an object, if it is named once.
func (o object) inside(name, member string) object {
	raw := o.only(name)
	if len(raw) == 0 {
		return nil
	}
	inner, _ := readObject(raw, member)
	return inner
}

// endUser is the first of three that is a text and is not empty. One that is named twice is nobody.
func (o object) endUser() string {
	for _, each := range []struct{ within, name string }{
		{"", "user"}, {"litellm_metadata", "user"}, {"metadata", "user_id"},
	} {
		in := o
		if each.within != "" {
			in = o.inside(each.within, each.name)
		}
		if o.doubled(each.within) || in.doubled(each.name) {
			return refused
		}
		if user, ok := in.text(each.name); ok && user != "" {
			return user
		}
	}
	return ""
}

func (o object) organization() string {
	raw := o.only("organization_id")
	if len(o["organization_id"]) == 0 || string(raw) == "null" {
		return ""
	}
	if id, ok := textOf(raw); ok {
		return id
	}
	return refused
}

// asks says whether a member is there and is not empty, null, false or 0.
func (o object) asks(name string) bool {
	if o.doubled(name) {
		return true
	}
	raw := o.only(name)
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case 'n', 'f':
		return false
	case 't':
		return true
	case '"', '[', '{':
		return len(bytes.Trim(raw[1:len(raw)-1], " \t\n\r")) > 0 || raw[0] == '"' && len(raw) > 2
	default:
		// A number may be as long as a body; it only matters whether it is 0.
		digits, _, _ := bytes.Cut(bytes.ToLower(raw), []byte("e"))
		return len(bytes.Trim(digits, "-0.")) > 0
	}
}

// fallbacks are models that would be called instead. What cannot be read is one that is refused.
func (o object) fallbacks() []string {
	raw := o.only("fallbacks")
	if len(o["fallbacks"]) == 0 || string(raw) == "null" {
		return nil
	}
	listed, ok := readList(raw)
	if !ok || len(raw) > longestFallbacks {
		return []string{""}
	}
	var models []string
	for _, each := range listed {
		model, ok := textOf(each)
		if !ok {
			inner, _ := readObject(each, "model")
			model, ok = inner.text("model")
		}
		if !ok {
			return []string{""}
		}
		models = append(models, model)
	}
	return models
}
