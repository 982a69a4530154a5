package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// refused stands for what cannot be read with certainty where nothing would be less than what was asked: no field of a
// question takes it, so that it is denied.
const refused = "\x00"

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

func formOf(header http.Header) form {
	form, _ := formAndBoundary(header)
	return form
}

func formAndBoundary(header http.Header) (form, string) {
	if encoding, found, sure := only(header, "Content-Encoding"); found && (!sure || !strings.EqualFold(encoding, "identity")) {
		return unreadable, ""
	}
	value, found, sure := only(header, "Content-Type")
	if !sure {
		return unreadable, ""
	}
	if !found || value == "" {
		return jsonForm, ""
	}
	kind, parameters, err := mime.ParseMediaType(value)
	switch {
	case err != nil:
		return unreadable, ""
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return jsonForm, ""
	case kind == "application/x-www-form-urlencoded":
		return urlForm, ""
	case kind == "multipart/form-data" && parameters["boundary"] != "":
		return multipartForm, parameters["boundary"]
	default:
		return unreadable, ""
	}
}

func readBody(header http.Header, body []byte) said {
	form, boundary := formAndBoundary(header)
	switch form {
	case jsonForm:
		return readJSON(body)
	case urlForm:
		return said{model: modelOfURLForm(body)}
	case multipartForm:
		return said{model: modelOfMultipart(body, boundary)}
	default:
		return said{}
	}
}

func modelOfURLForm(body []byte) *string {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil
	}
	return onlyText(values["model"])
}

func modelOfMultipart(body []byte, boundary string) *string {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	var models []string
	for {
		// As it stands there: what was decoded here, another reader may not decode.
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return onlyText(models)
		} else if err != nil {
			return nil
		}
		if _, _, err := mime.ParseMediaType(part.Header.Get("Content-Disposition")); err != nil {
			return nil
		}
		if part.FormName() != "model" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil || part.FileName() != "" || part.Header.Get("Content-Transfer-Encoding") != "" {
			return nil
		}
		models = append(models, string(value))
	}
}

func onlyText(values []string) *string {
	if len(values) != 1 || !utf8.ValidString(values[0]) {
		return nil
	}
	return &values[0]
}

// object is a JSON object whose names are known, and which of them stand there more than once.
type object struct {
	members map[string]json.RawMessage
	doubled map[string]bool
}

// readObject reads exactly one object; false: these bytes are something else.
func readObject(raw []byte) (object, bool) {
	o := object{map[string]json.RawMessage{}, map[string]bool{}}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return object{}, false
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err != nil || !isName || decoder.Decode(&value) != nil {
			return object{}, false
		}
		if _, before := o.members[name]; before {
			o.doubled[name] = true
		}
		o.members[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return object{}, false
	}
	_, err := decoder.Token()
	return o, err == io.EOF
}

func readJSON(body []byte) said {
	if !utf8.Valid(body) || !json.Valid(body) {
		return said{}
	}
	root, ok := readObject(body)
	if !ok {
		return said{}
	}
	s := said{fallbacks: fallbacks(root)}
	if model, ok := root.text("model"); ok {
		s.model = &model
	}
	s.organization = root.organization()
	metadata, litellm := root.object("metadata"), root.object("litellm_metadata")
	s.endUser = firstText(root.members["user"], litellm.members["user"], metadata.members["user_id"])
	if root.doubled["user"] || root.doubled["metadata"] || root.doubled["litellm_metadata"] ||
		litellm.doubled["user"] || metadata.doubled["user_id"] {
		s.endUser = refused
	}
	s.guardrails = root.asks("guardrails") || metadata.asks("guardrails") || root.doubled["metadata"]
	s.stream = string(root.members["stream"]) == "true" || root.doubled["stream"]
	return s
}

// text is a member that stands there once and is a text.
func (o object) text(name string) (string, bool) {
	if o.doubled[name] {
		return "", false
	}
	return textOf(o.members[name])
}

func textOf(raw json.RawMessage) (string, bool) {
	var value string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	// Half of a surrogate pair is no character: readers differ in what they make of it.
	return value, !strings.ContainsRune(value, utf8.RuneError)
}

// object is a member that is an object; empty: it is none.
func (o object) object(name string) object {
	inner, _ := readObject(o.members[name])
	return inner
}

func (o object) organization() string {
	raw, found := o.members["organization_id"]
	if !found || string(raw) == "null" {
		return ""
	}
	if value, ok := o.text("organization_id"); ok {
		return value
	}
	return refused
}

func firstText(values ...json.RawMessage) string {
	for _, each := range values {
		if value, ok := textOf(each); ok && value != "" {
			return value
		}
	}
	return ""
}

// asks says whether a member is there and is not empty, null, false or 0.
func (o object) asks(name string) bool {
	raw, found := o.members[name]
	if !found {
		return false
	}
	var value any
	if o.doubled[name] || json.Unmarshal(raw, &value) != nil {
		return true
	}
	switch value := value.(type) {
	case nil:
		return false
	case bool:
		return value
	case float64:
		return value != 0
	case string:
		return value != ""
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	default:
		return true
	}
}

// fallbacks are models that would be called instead. What cannot be read is one that is refused.
func fallbacks(root object) []string {
	raw, found := root.members["fallbacks"]
	if !found || string(raw) == "null" && !root.doubled["fallbacks"] {
		return nil
	}
	var listed []json.RawMessage
	if root.doubled["fallbacks"] || json.Unmarshal(raw, &listed) != nil {
		return []string{""}
	}
	var models []string
	for _, each := range listed {
		model, ok := textOf(each)
		if !ok {
			inner, _ := readObject(each)
			model, ok = inner.text("model")
		}
		if !ok {
			return []string{""}
		}
		models = append(models, model)
	}
	return models
}
