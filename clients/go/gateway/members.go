package gateway

import (
	"bytes"
	"encoding/json"
	"strings"
)

// longestName is how many bytes a name has at most that is looked for, with each of its characters escaped.
const longestName = 6 * 32

// object has those members of a JSON object that are looked for, each as often as it is named. Their values are parts of
// the text that was read: nothing is built of a large one.
type object map[string][]json.RawMessage

// readObject reads an object out of a text that is known to be JSON; false: it is something else.
func readObject(text []byte, names ...string) (object, bool) {
	s := skimmer{text: text}
	s.blank()
	if s.at >= len(text) || text[s.at] != '{' {
		return nil, false
	}
	found := object{}
	s.at++
	for s.blank(); s.text[s.at] != '}'; s.blank() {
		if s.text[s.at] == ',' {
			s.at++
			s.blank()
		}
		name := s.value()
		s.blank()
		s.at++ // the colon
		s.blank()
		value := s.value()
		read, known := nameOf(name)
		for _, each := range names {
			switch {
			case !known:
			case read == each:
				found[each] = append(found[each], value)
			case meant(read, each):
				// To some it is another value of that name.
				found[each] = append(found[each], value, value)
			}
		}
	}
	return found, true
}

// readList has the values of a list in a text that is known to be JSON; false: it is something else.
func readList(text []byte) ([]json.RawMessage, bool) {
	if len(text) == 0 || text[0] != '[' {
		return nil, false
	}
	s := skimmer{text: text, at: 1}
	var values []json.RawMessage
	for s.blank(); s.text[s.at] != ']'; s.blank() {
		if s.text[s.at] == ',' {
			s.at++
			s.blank()
		}
		values = append(values, s.value())
	}
	return values, true
}

// nameOf is the name in its quotes; false: it is longer than any that is looked for.
func nameOf(quoted []byte) (string, bool) {
	if len(quoted) > longestName {
		return "", false
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), true
	}
	var read string
	return read, json.Unmarshal(quoted, &read) == nil
}

// skimmer goes through a text that is known to be JSON.
type skimmer struct {
	text []byte
	at   int
}

func (s *skimmer) blank() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// value is the value that begins here.
func (s *skimmer) value() json.RawMessage {
	begin, depth := s.at, 0
	for {
		switch s.text[s.at] {
		case '"':
			s.pastText()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			s.at++
			continue
		default:
			s.pastPlain()
		}
		if depth == 0 {
			return s.text[begin:s.at:s.at]
		}
	}
}

func (s *skimmer) pastText() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

func (s *skimmer) pastPlain() {
	for s.at < len(s.text) && strings.IndexByte(",:]} \t\n\r", s.text[s.at]) < 0 {
		s.at++
	}
}
