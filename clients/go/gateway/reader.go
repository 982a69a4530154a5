package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/usherd/usherd/clients/go/usherd"
)

const usualBody = 32 << 20

// Reader reads what is to be asked about a request. The zero Reader is ready for use; it must not be changed afterwards.
type Reader struct {
	// Header alone carries the credential, where it is set.
	Header string
	// Origins are those that a session cookie may act from on methods other than GET, HEAD and OPTIONS, such as
	// "https://ui.example". None: it acts on none of them.
	Origins []string
	// BasePath is taken off the path: what this gateway is mounted under.
	BasePath string
	// ModelHeader alone names the model, where it is set: set it only if this gateway itself goes by it.
	ModelHeader string
	// TeamHeader and TeamAliasHeader carry the team that the user wants to act for, where they are set.
	TeamHeader, TeamAliasHeader string
	// MaxBody is how many bytes of a body are read at most; 32 MiB unless set.
	MaxBody int64
}

// Asked is what is asked about a request.
type Asked struct {
	usherd.Question
	// Source says where the token was found.
	Source Source
	// Stream says that the request asks for a streamed answer.
	Stream bool
}

// Read reads a request, and leaves its body to be read again. The error is a [*Refusal].
func (r *Reader) Read(request *http.Request) (Asked, error) {
	token, source, err := r.Credential(request.Method, request.Header)
	if err != nil {
		return Asked{}, err
	}
	body, err := r.body(request)
	if err != nil {
		return Asked{}, err
	}
	target := request.URL.EscapedPath() + "?" + request.URL.RawQuery
	bodyless := len(body) == 0 && !hasUnread(request)
	asked := r.question(request.Method, target, request.Header, body, bodyless)
	asked.Token, asked.Source = token, source
	return asked, nil
}

// Question is what is asked about a request with that target (a path, perhaps with a query) and that body, but for the
// token.
func (r *Reader) Question(method, target string, header http.Header, body []byte) Asked {
	return r.question(method, target, header, body, len(body) == 0)
}

func (r *Reader) question(method, target string, header http.Header, body []byte, bodyless bool) Asked {
	asked := Asked{Source: FromNowhere}
	asked.Method = method
	asked.Route = r.route(target)
	_, query, _ := strings.Cut(target, "?")
	said := readBody(header, body, query)
	said.into(&asked)
	// Whoever merely sends the headers of a handshake must not choose what is read.
	if method == http.MethodGet && bodyless && IsWebsocket(header) {
		asked.Model = modelOfQuery(target)
	}
	if r.ModelHeader != "" {
		asked.Model = nil
		if value, found, sure := only(header, r.ModelHeader); found && sure {
			asked.Model = &value
		}
	}
	r.team(header, &asked.Question)
	asked.Stream = said.stream || strings.HasSuffix(asked.Route, ":streamGenerateContent")
	return asked
}

// modelOfQuery is the model that a websocket's handshake names: it has no body.
func modelOfQuery(target string) *string {
	_, query, _ := strings.Cut(target, "?")
	found, _ := readURLForm([]byte(query), "model")
	if len(found["model"]) != 1 {
		return nil
	}
	return &found["model"][0]
}

func (r *Reader) route(target string) string {
	path, _, _ := strings.Cut(target, "?")
	base := strings.TrimRight(r.BasePath, "/")
	rest, found := strings.CutPrefix(path, base)
	switch {
	case base == "" || !found:
		return path
	case rest == "":
		return "/"
	case rest[0] == '/':
		return rest
	default:
		return path
	}
}

// team reads the wish for a team. One that is not certain is a team that nobody has.
func (r *Reader) team(header http.Header, question *usherd.Question) {
	id, byID, sureOfID := "", false, true
	if r.TeamHeader != "" {
		id, byID, sureOfID = only(header, r.TeamHeader)
	}
	alias, byAlias, sureOfAlias := "", false, true
	if r.TeamAliasHeader != "" {
		alias, byAlias, sureOfAlias = only(header, r.TeamAliasHeader)
	}
	switch {
	case !sureOfID || !sureOfAlias || byID && byAlias:
		question.TeamID = new(string)
	case byID:
		question.TeamID = &id
	case byAlias:
		question.TeamAlias = &alias
	}
}

// only is the value of a header that has one; it is not sure if there are several that differ. An empty header is none:
// who clears one writes that. Beside another of its name it is one that differs.
func only(header http.Header, name string) (value string, found, sure bool) {
	for i, each := range header.Values(name) {
		each = strings.Trim(each, " \t")
		if i > 0 && each != value {
			return "", true, false
		}
		value = each
	}
	return value, value != "", true
}

// body reads the body if something in it is asked about, and puts it back.
func (r *Reader) body(request *http.Request) ([]byte, error) {
	if request.Body == nil || request.Body == http.NoBody || isUnreadable(request.Header) {
		return nil, nil
	}
	limit := r.MaxBody
	if limit <= 0 {
		limit = usualBody
	}
	if request.ContentLength > limit {
		return nil, refusal(BodyTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, limit+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || int64(len(body)) > limit {
		return nil, refusal(BodyTooLarge)
	}
	if err != nil {
		return nil, refusal(BodyUnreadable)
	}
	request.Body = &putBack{bytes.NewReader(body), request.Body}
	return body, nil
}

// hasUnread says whether a request has a body that is left alone: nothing in it could be asked about.
func hasUnread(request *http.Request) bool {
	return isUnreadable(request.Header) && request.ContentLength != 0 && request.Body != nil && request.Body != http.NoBody
}

func isUnreadable(header http.Header) bool {
	form, _ := formOf(header)
	return form == unreadable
}

type putBack struct {
	io.Reader
	io.Closer
}
