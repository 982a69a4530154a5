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

const (
	// longestCookie is what browsers keep: a larger one is dropped without a word, and the user asked to log in for ever.
	longestCookie = 4096 - len(SessionCookie) - 20
	// mostCleared is how many names are cleared: no browser sends more.
	mostCleared = 100
)

var (
	numberForm = regexp.MustCompile(`^[0-9]{1,20}$`)
	tokenForm  = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	nameForm   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	placeForm  = regexp.MustCompile(`^/([^/\\\x00-\x20\x7f-\x{10ffff}][^\\\x00-\x20\x7f-\x{10ffff}]*)?$`)
)

// sessionCookie is the value of the newest session's cookie. Empty: there is none.
func sessionCookie(headers []string) (string, error) {
	byName, byNumber, greatestName, greatestNumber := map[string]string{}, map[string]string{}, "", ""
	for name, value := range cookies(headers) {
		suffix := name[len(SessionCookie):]
		if before, doubled := byName[name]; doubled && before != value {
			return "", refusal(CredentialsAmbiguous)
		}
		byName[name], greatestName = value, max(greatestName, name)
		if !numberForm.MatchString(suffix) {
			continue
		}
		// Without leading zeros, so that two names of one number are one.
		number := strings.TrimLeft(suffix, "0")
		if before, doubled := byNumber[number]; doubled && before != value {
			return "", refusal(CredentialsAmbiguous)
		}
		byNumber[number] = value
		if len(number) > len(greatestNumber) || len(number) == len(greatestNumber) && number > greatestNumber {
			greatestNumber = number
		}
	}
	for name := range byName {
		if !numberForm.MatchString(name[len(SessionCookie):]) {
			return byName[greatestName], nil
		}
	}
	return byNumber[greatestNumber], nil
}

// cookies yields names and values of the session cookies.
func cookies(headers []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, header := range headers {
			for part := range strings.SplitSeq(header, ";") {
				name, value, found := strings.Cut(strings.TrimLeft(part, " \t"), "=")
				if !found || !strings.HasPrefix(name, SessionCookie) {
					continue
				}
				value = strings.Trim(value, " \t")
				if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
					value = value[1 : len(value)-1]
				}
				if !yield(name, value) {
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
	if len(token) > longestCookie {
		return 0, nil, errors.New("token: larger than what browsers keep in a cookie")
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
	for name := range cookies(sent) {
		if !nameForm.MatchString(name) || seen[name] || len(seen) == mostCleared {
			continue
		}
		seen[name] = true
		for _, path := range []string{"/", "/ui"} {
			headers = append(headers, Field{
				"set-cookie", name + "=; Path=" + path + "; Max-Age=0; Secure; HttpOnly; SameSite=Strict",
			})
		}
	}
	return headers
}
