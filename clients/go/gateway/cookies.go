package gateway

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// SessionCookie is what the names of session cookies begin with; the rest is when it was set, in seconds.
const SessionCookie = "litellm_ui_token_"

var (
	numberForm = regexp.MustCompile(`^[0-9]{1,20}$`)
	tokenForm  = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	nameForm   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	placeForm  = regexp.MustCompile(`^/([^/\\\x00-\x20\x7f-\x{10ffff}][^\\\x00-\x20\x7f-\x{10ffff}]*)?$`)
)

// sessionCookie is the value of the newest session's cookie.
func sessionCookie(headers []string) (value string, found bool, err error) {
	values, numeric := map[string]string{}, true
	for name, value := range cookies(headers) {
		if before, doubled := values[name]; doubled && before != value {
			return "", false, refusal(CredentialsAmbiguous)
		}
		values[name] = value
		numeric = numeric && numberForm.MatchString(name[len(SessionCookie):])
	}
	if numeric {
		return newest(values)
	}
	greatest := ""
	for name := range values {
		greatest = max(greatest, name)
	}
	return values[greatest], true, nil
}

func newest(values map[string]string) (value string, found bool, err error) {
	byNumber, greatest := map[string]string{}, ""
	for name, value := range values {
		number := strings.TrimLeft(name[len(SessionCookie):], "0")
		if before, doubled := byNumber[number]; doubled && before != value {
			return "", false, refusal(CredentialsAmbiguous)
		}
		byNumber[number] = value
		if len(number) > len(greatest) || len(number) == len(greatest) && number > greatest {
			greatest = number
		}
	}
	value, found = byNumber[greatest]
	return value, found, nil
}

// cookies yields names and values of the session cookies that have a value.
func cookies(headers []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, header := range headers {
			for part := range strings.SplitSeq(header, ";") {
				name, value, found := strings.Cut(strings.Trim(part, " \t"), "=")
				if !found || !strings.HasPrefix(name, SessionCookie) {
					continue
				}
				if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
					value = value[1 : len(value)-1]
				}
				if value != "" && !yield(name, value) {
					return
				}
			}
		}
	}
}

// Field is one header of an answer.
type Field struct{ Name, Value string }

// SetSession is the answer that sets a session's token as a cookie and sends the browser on to a path of this site. It
// is an error if the token is no compact JWS, or the location is not surely on this site; the text shows neither.
func SetSession(token string, now time.Time, location string) (status int, headers []Field, err error) {
	if !tokenForm.MatchString(token) {
		return 0, nil, errors.New("token: expected a compact JWS")
	}
	if !placeForm.MatchString(location) {
		return 0, nil, errors.New("location: expected a path of this site")
	}
	name := SessionCookie + strconv.FormatInt(max(now.Unix(), 0), 10)
	return http.StatusSeeOther, []Field{
		{"location", location},
		{"set-cookie", name + "=" + token + "; Path=/; Secure; HttpOnly; SameSite=Strict"},
		{"cache-control", "no-store"},
	}, nil
}

// ClearSession has the headers that clear every session cookie that the browser sent. The argument are the values of
// the request's Cookie headers.
func ClearSession(sent []string) []Field {
	var headers []Field
	seen := map[string]bool{}
	for _, header := range sent {
		for part := range strings.SplitSeq(header, ";") {
			name, _, _ := strings.Cut(strings.Trim(part, " \t"), "=")
			if !strings.HasPrefix(name, SessionCookie) || !nameForm.MatchString(name) || seen[name] {
				continue
			}
			seen[name] = true
			for _, path := range []string{"/", "/ui"} {
				headers = append(headers, Field{
					"set-cookie", name + "=; Path=" + path + "; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
				})
			}
		}
	}
	return headers
}
