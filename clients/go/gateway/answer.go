package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/usherd/usherd/clients/go/usherd"
)

// Answer is the HTTP answer to a request that may not pass, as OpenAI's clients expect it.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

type problem struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

var types = map[int]string{
	http.StatusUnauthorized:       "authentication_error",
	http.StatusForbidden:          "permission_error",
	http.StatusTooManyRequests:    "rate_limit_error",
	http.StatusServiceUnavailable: "service_unavailable_error",
}

const noDecision = "The authorization service gave no decision. Try again."

// For is the answer to whatever is in the way of a request: a [*Refusal], a fault, or (with a nil error) a denial.
func For(decision usherd.Decision, err error) Answer {
	var refused *Refusal
	switch {
	case err == nil:
		return Denied(decision)
	case errors.As(err, &refused):
		return Refused(refused.Why)
	default:
		return Faulted(err)
	}
}

// Denied answers a request that was denied.
func Denied(decision usherd.Decision) Answer {
	status := decision.HTTPStatus()
	if status < 400 || status > 499 {
		status = http.StatusForbidden
	}
	made := answer(status, denial(decision, status))
	if shown := decision.WWWAuthenticate(); shown != "" && printable(shown) {
		made.Header.Set("Www-Authenticate", shown)
	}
	return made
}

func denial(decision usherd.Decision, status int) problem {
	said := problem{Message: decision.Message(), Type: typeOf(status), Code: strings.ToLower(decision.Reason())}
	if strings.HasPrefix(decision.Reason(), "MODEL_") {
		model := "model"
		said.Param = &model
	}
	return said
}

// Faulted answers a request about which there is no decision. It never says why. It advises to wait a second at least: who
// comes back at once makes an outage worse.
func Faulted(err error) Answer {
	made := answer(http.StatusServiceUnavailable, unavailable())
	var fault *usherd.Fault
	if errors.As(err, &fault) && fault.Advised {
		seconds := math.Ceil(fault.RetryAfter.Seconds())
		made.Header.Set("Retry-After", strconv.Itoa(max(1, int(seconds))))
	}
	return made
}

func unavailable() problem {
	return problem{
		Message: noDecision, Type: typeOf(http.StatusServiceUnavailable), Code: "authorization_unavailable",
	}
}

// Refused answers a request that is refused without asking.
func Refused(why Why) Answer {
	switch why {
	case OriginNotAllowed:
		return refusedWith(http.StatusForbidden, why, "A session cookie acts only on requests from an allowed origin.")
	case BodyTooLarge:
		return refusedWith(http.StatusRequestEntityTooLarge, why, "The request body is too large.")
	case CredentialsAmbiguous:
		made := refusedWith(http.StatusBadRequest, why, "The request carries two different credentials.")
		made.Header.Set("Www-Authenticate", `Bearer error="invalid_request"`)
		return made
	default:
		return refusedWith(http.StatusBadRequest, why, "The request body could not be read.")
	}
}

func refusedWith(status int, why Why, message string) Answer {
	return answer(status, problem{Message: message, Type: typeOf(status), Code: string(why)})
}

// Cut is the event that a streamed answer of type text/event-stream ends with, when it may not go on. The zero Decision,
// that of an unknown, ends it like a fault.
func Cut(decision usherd.Decision) []byte {
	said := unavailable()
	if decision != (usherd.Decision{}) {
		said = denial(decision, decision.HTTPStatus())
	}
	return append(append([]byte("event: error\ndata: "), encoded(said)...), "\n\n"...)
}

// Write sends the answer.
func (a Answer) Write(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	// Whoever does not take it is gone.
	_, _ = w.Write(a.Body)
}

func answer(status int, said problem) Answer {
	return Answer{status, http.Header{"Content-Type": {"application/json"}}, encoded(said)}
}

func encoded(said problem) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// Texts and nil have no error.
	_ = encoder.Encode(map[string]problem{"error": said})
	return bytes.TrimRight(out.Bytes(), "\n")
}

func typeOf(status int) string {
	if known, ok := types[status]; ok {
		return known
	}
	return "invalid_request_error"
}

// printable says whether a header of that value cannot split the answer.
func printable(value string) bool {
	for _, each := range []byte(value) {
		if each < ' ' || each > '~' {
			return false
		}
	}
	return true
}
