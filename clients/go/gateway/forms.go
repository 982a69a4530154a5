package gateway

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	mostFields     = 10_000
	mostParts      = 1000
	longestHeading = 8192
	longestField   = 3 * enough // of a name that is looked at, with each of its bytes escaped
)

// fields are the texts that a form has under the names that are looked for, each as often as it is named.
type fields map[string][]string

// readURLForm reads a body of type application/x-www-form-urlencoded, or a query; false: it cannot be read with
// certainty.
func readURLForm(body []byte, names ...string) (fields, bool) {
	found := fields{}
	if bytes.Count(body, []byte("&")) >= mostFields {
		return nil, false
	}
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		read, err := url.QueryUnescape(beginning(name))
		if err != nil {
			return nil, false
		}
		for _, each := range names {
			if !meant(read, each) {
				continue
			}
			text, err := url.QueryUnescape(string(value))
			if err != nil || !utf8.ValidString(text) {
				return nil, false
			}
			found.add(each, text, read == each)
		}
	}
	return found, true
}

// beginning is what a name begins with that is longer than any that is looked for.
func beginning(name []byte) string {
	if len(name) <= longestField {
		return string(name)
	}
	name = name[:longestField]
	if escape := bytes.LastIndexByte(name, '%'); escape > len(name)-3 {
		name = name[:escape]
	}
	return string(name)
}

// add adds a text; one under a name that only some readers take for this one is there twice.
func (f fields) add(name, text string, exact bool) {
	f[name] = append(f[name], text)
	if !exact {
		f[name] = append(f[name], text)
	}
}

const value = `(?:"(?:[^"\\\r\n]|\\.)*"|[^\s";,]+)`

var (
	boundaryForm = regexp.MustCompile(
		`(?i);[ \t]*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'+_.-]{1,70}))[ \t]*(?:;|$)`)
	dispositionForm = regexp.MustCompile(`(?i)^form-data((?:[ \t]*;[ \t]*[a-z]+\*?=` + value + `)+)[ \t]*$`)
	parameterForm   = regexp.MustCompile(`;[ \t]*([a-zA-Z]+\*?)=(` + value + `)`)
	plainNameForm   = regexp.MustCompile(`^"([^"\\%]*)"$`)
	plainTextForm   = regexp.MustCompile(`(?i)^text/plain(?:[ \t]*;[ \t]*charset="?utf-8"?)?$`)
)

// readMultipart reads a body of type multipart/form-data; false: it is cut short, or could be read in two ways. A file of
// a name that is looked for is no text, and makes the form one that cannot be read.
func readMultipart(body []byte, contentType string, names ...string) (fields, bool) {
	boundary := boundaryForm.FindStringSubmatch(contentType)
	if boundary == nil || strings.Count(strings.ToLower(contentType), "boundary") != 1 {
		return nil, false
	}
	delimiter := []byte("\r\n--" + boundary[1] + boundary[2])
	rest, found := body, fields{}
	if !bytes.HasPrefix(rest, delimiter[2:]) {
		return nil, false
	}
	rest = rest[len(delimiter)-2:]
	for range mostParts {
		if bytes.HasPrefix(rest, []byte("--")) {
			if len(rest) > 2 && string(rest[2:]) != "\r\n" {
				return nil, false
			}
			return found, true
		}
		if !bytes.HasPrefix(rest, []byte("\r\n")) {
			return nil, false
		}
		// The delimiter begins where the text ends, which may be where the heading does.
		part, after, closed := bytes.Cut(rest, delimiter)
		blank := bytes.Index(part[:min(len(part), longestHeading)], []byte("\r\n\r\n"))
		// Some readers take a boundary behind a bare line feed for one.
		if !closed || blank < 0 || bytes.Contains(part, delimiter[2:]) {
			return nil, false
		}
		name, isText, ok := readHeading(string(part[min(2, blank):blank]))
		if !ok {
			return nil, false
		}
		for _, each := range names {
			if meant(name, each) {
				text := part[blank+4:]
				if !isText || !utf8.Valid(text) {
					return nil, false
				}
				found.add(each, string(text), name == each)
			}
		}
		rest = after
	}
	return nil, false
}

// readHeading is the name of a part, and whether it is a text.
func readHeading(lines string) (name string, isText, ok bool) {
	disposition, plain := "", true
	for line := range strings.SplitSeq(lines, "\r\n") {
		header, content, _ := strings.Cut(line, ":")
		content = strings.Trim(content, " \t")
		switch strings.ToLower(header) {
		case "content-disposition":
			if disposition != "" || content == "" {
				return "", false, false
			}
			disposition = content
		case "content-type":
			plain = plain && plainTextForm.MatchString(content)
		default:
			// content-transfer-encoding among them: a text that is encoded once more
			plain = false
		}
	}
	read := dispositionForm.FindStringSubmatch(disposition)
	if read == nil {
		return "", false, false
	}
	parameters := parameterForm.FindAllStringSubmatch(read[1], -1)
	names := 0
	for _, each := range parameters {
		if strings.ToLower(each[1]) == "name" {
			quoted := plainNameForm.FindStringSubmatch(each[2])
			if quoted == nil {
				return "", false, false
			}
			name = quoted[1]
			names++
		}
	}
	return name, plain && len(parameters) == 1, names == 1 && utf8.ValidString(name)
}
