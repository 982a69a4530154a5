package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// Source says where a credential was found.
type Source string

// The places of a credential, in the order in which they are looked at.
const (
	FromNowhere       Source = "none"
	FromHeader        Source = "header" // the one that is configured
	FromAuthorization Source = "authorization"
	FromAPIKey        Source = "api-key"
	FromXAPIKey       Source = "x-api-key"
	FromGoogleAPIKey  Source = "x-goog-api-key"
	FromCookie        Source = "cookie"
)

var credentialHeaders = []Source{FromAuthorization, FromAPIKey, FromXAPIKey, FromGoogleAPIKey}

// Credential is the token that a request carries, and where it was found.
func (r *Reader) Credential(method string, header http.Header) (token string, source Source, err error) {
	if r.Header != "" {
		return r.configured(header)
	}
	for _, each := range credentialHeaders {
		for _, value := range header.Values(string(each)) {
			value = strings.Trim(value, " \t")
			if value == "" {
				continue
			}
			if each == FromAuthorization {
				value = withoutScheme(value)
			}
			if source == "" {
				token, source = value, each
			} else if value != token {
				return "", "", refusal(CredentialsAmbiguous)
			}
		}
	}
	if source != "" {
		return token, source, nil
	}
	token, err = sessionCookie(header.Values("Cookie"))
	if err != nil {
		return "", "", err
	}
	if token == "" {
		return "", FromNowhere, nil
	}
	if !r.cookieMayAct(method, header) {
		return "", "", refusal(OriginNotAllowed)
	}
	return token, FromCookie, nil
}

func (r *Reader) configured(header http.Header) (string, Source, error) {
	token, source := "", FromNowhere
	for _, value := range header.Values(r.Header) {
		value = withoutScheme(strings.Trim(value, " \t"))
		if value == "" {
			continue
		}
		if source == FromHeader && value != token {
			return "", "", refusal(CredentialsAmbiguous)
		}
		token, source = value, FromHeader
	}
	return token, source, nil
}

// withoutScheme takes exactly one scheme off. Whatever else is there is left for the server to refuse.
func withoutScheme(value string) string {
	scheme, rest, found := strings.Cut(value, " ")
	if found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic")) {
		return strings.TrimLeft(rest, " ")
	}
	return value
}

// cookieMayAct says whether a cookie counts on a request of that method: a browser sends it along wherever a request
// comes from.
func (r *Reader) cookieMayAct(method string, header http.Header) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		// A page of anybody may open a websocket.
		if !IsWebsocket(header) {
			return true
		}
	}
	origins := header.Values("Origin")
	return len(origins) == 1 && slices.Contains(r.Origins, origins[0])
}

// IsWebsocket says whether a request with these headers is the handshake of a websocket.
func IsWebsocket(header http.Header) bool {
	for _, each := range header.Values("Upgrade") {
		for word := range strings.SplitSeq(each, ",") {
			if strings.EqualFold(strings.Trim(word, " \t"), "websocket") {
				return true
			}
		}
	}
	return false
}
