package gateway_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/clients/go/gateway"
	usherv1 "github.com/usherd/usherd/clients/go/usher/v1"
	"github.com/usherd/usherd/clients/go/usherd"
)

// The cases that every client answers alike.
func cases(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

type options struct {
	Header          string   `json:"header"`
	Origins         []string `json:"origins"`
	BasePath        string   `json:"base_path"`
	ModelHeader     string   `json:"model_header"`
	TeamHeader      string   `json:"team_header"`
	TeamAliasHeader string   `json:"team_alias_header"`
}

func (o options) reader() *gateway.Reader {
	return &gateway.Reader{
		Header: o.Header, Origins: o.Origins, BasePath: o.BasePath, ModelHeader: o.ModelHeader,
		TeamHeader: o.TeamHeader, TeamAliasHeader: o.TeamAliasHeader,
	}
}

func headerOf(pairs [][2]string) http.Header {
	header := http.Header{}
	for _, pair := range pairs {
		header.Add(pair[0], pair[1])
	}
	return header
}

// received is the request as net/http reads it off a connection.
func received(t *testing.T, method, target string, pairs [][2]string, body []byte) *http.Request {
	t.Helper()
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n", method, target, len(body))
	for _, pair := range pairs {
		fmt.Fprintf(&raw, "%s: %s\r\n", pair[0], pair[1])
	}
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String() + "\r\n" + string(body))))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func why(err error) string {
	var refused *gateway.Refusal
	if errors.As(err, &refused) {
		return string(refused.Why)
	}
	return fmt.Sprint(err)
}

func TestCredentialsAreReadAsEveryClientReadsThem(t *testing.T) {
	var all struct {
		Cases []struct {
			Name, Method string
			Headers      [][2]string
			Options      options
			Expect       struct{ Token, Source, Refused string }
		}
	}
	cases(t, "credentials.json", &all)
	if len(all.Cases) < 40 {
		t.Fatalf("only %d cases", len(all.Cases))
	}
	for _, each := range all.Cases {
		t.Run(each.Name, func(t *testing.T) {
			for how, header := range map[string]http.Header{
				"as headers":   headerOf(each.Headers),
				"off the wire": received(t, each.Method, "/", each.Headers, nil).Header,
			} {
				token, source, err := each.Options.reader().Credential(each.Method, header)
				if each.Expect.Refused != "" {
					if why(err) != each.Expect.Refused || token != "" {
						t.Errorf("%s: got %q, %v", how, token, err)
					}
				} else if err != nil || token != each.Expect.Token || string(source) != each.Expect.Source {
					t.Errorf("%s: got %q of %q, %v", how, token, source, err)
				}
			}
		})
	}
}

type question struct {
	Route              string   `json:"route"`
	Method             string   `json:"method"`
	Model              *string  `json:"model"`
	FallbackModels     []string `json:"fallback_models"`
	TeamID             *string  `json:"team_id"`
	TeamAlias          *string  `json:"team_alias"`
	EndUserID          string   `json:"end_user_id"`
	OrganizationID     string   `json:"organization_id"`
	ModifiesGuardrails bool     `json:"modifies_guardrails"`
	Stream             bool     `json:"stream"`
}

func questionOf(asked gateway.Asked) question {
	fallbacks := asked.FallbackModels
	if fallbacks == nil {
		fallbacks = []string{}
	}
	return question{
		asked.Route, asked.Method, asked.Model, fallbacks, asked.TeamID, asked.TeamAlias, asked.EndUserID,
		asked.OrganizationID, asked.ModifiesGuardrails, asked.Stream,
	}
}

func TestRequestsAreReadAsEveryClientReadsThem(t *testing.T) {
	var all struct {
		Cases []struct {
			Name, Method, Target string
			Headers              [][2]string
			Options              options
			Body                 string
			BodyBase64           string `json:"body_base64"`
			Expect               question
		}
	}
	cases(t, "requests.json", &all)
	if len(all.Cases) < 60 {
		t.Fatalf("only %d cases", len(all.Cases))
	}
	for _, each := range all.Cases {
		t.Run(each.Name, func(t *testing.T) {
			body := []byte(each.Body)
			if each.BodyBase64 != "" {
				var err error
				if body, err = base64.StdEncoding.DecodeString(each.BodyBase64); err != nil {
					t.Fatal(err)
				}
			}
			reader := each.Options.reader()
			got := questionOf(reader.Question(each.Method, each.Target, headerOf(each.Headers), body))
			if !reflect.DeepEqual(got, each.Expect) {
				t.Errorf("as bytes: got %+v, want %+v", got, each.Expect)
			}
			request := received(t, each.Method, each.Target, each.Headers, body)
			asked, err := reader.Read(request)
			if got := questionOf(asked); err != nil || !reflect.DeepEqual(got, each.Expect) {
				t.Errorf("off the wire: got %+v, %v", got, err)
			}
			if again, err := io.ReadAll(request.Body); err != nil || string(again) != string(body) {
				t.Errorf("the body that is left: %q, %v", again, err)
			}
		})
	}
}

type denied struct {
	Reason          string `json:"reason"`
	HTTPStatus      int32  `json:"http_status"`
	Message         string `json:"message"`
	WWWAuthenticate string `json:"www_authenticate"`
}

func (d denied) decision(t *testing.T) usherd.Decision {
	t.Helper()
	number, known := usherv1.Reason_value["REASON_"+d.Reason]
	if !known {
		number = 999 // one that this client is too old to know
	}
	decision, err := usherd.ReadDecision(&usherv1.Decision{
		Effect: usherv1.Effect_EFFECT_DENY, Reason: usherv1.Reason(number), HttpStatus: d.HTTPStatus,
		Message: d.Message, WwwAuthenticate: d.WWWAuthenticate,
	})
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestWhatMayNotPassIsAnsweredAsEveryClientAnswersIt(t *testing.T) {
	var all struct {
		Cases []struct {
			Name     string
			Decision *denied
			Fault    *struct {
				RetryAfter *float64 `json:"retry_after"`
			}
			Refused string
			Expect  struct {
				Status  int
				Headers map[string]string
				Body    json.RawMessage
			}
		}
		Cut struct {
			Denial denied
			SSE    string
		}
	}
	cases(t, "errors.json", &all)
	if len(all.Cases) < 14 {
		t.Fatalf("only %d cases", len(all.Cases))
	}
	for _, each := range all.Cases {
		t.Run(each.Name, func(t *testing.T) {
			var answer gateway.Answer
			switch {
			case each.Decision != nil:
				answer = gateway.For(each.Decision.decision(t), nil)
			case each.Fault != nil:
				fault := &usherd.Fault{Kind: usherd.Unavailable, Reason: "KEYS_UNAVAILABLE"}
				if each.Fault.RetryAfter != nil {
					fault.Advised = true
					fault.RetryAfter = time.Duration(math.Round(*each.Fault.RetryAfter * 1e9))
				}
				answer = gateway.For(usherd.Decision{}, fmt.Errorf("wrapped: %w", fault))
			default:
				answer = gateway.For(usherd.Decision{}, &gateway.Refusal{Why: gateway.Why(each.Refused)})
			}
			headers := map[string]string{}
			for name := range answer.Header {
				headers[strings.ToLower(name)] = answer.Header.Get(name)
			}
			if answer.Status != each.Expect.Status || !reflect.DeepEqual(headers, each.Expect.Headers) {
				t.Errorf("got %d, %v", answer.Status, headers)
			}
			if !sameJSON(t, answer.Body, each.Expect.Body) {
				t.Errorf("got %s", answer.Body)
			}
		})
	}
	if got := gateway.Cut(all.Cut.Denial.decision(t)); string(got) != all.Cut.SSE {
		t.Errorf("cut: got %q", got)
	}
}

func sameJSON(t *testing.T, one, other []byte) bool {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal(one, &a), json.Unmarshal(other, &b)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(a, b)
}

func TestSessionCookiesAreSetAndClearedAsEveryClientDoes(t *testing.T) {
	var all struct {
		Cases []struct {
			Name string
			Set  *struct {
				Token, Location string
				Now             float64
			}
			Clear  *struct{ Cookies []string }
			Expect struct {
				Status  int
				Headers [][2]string
				Error   string
			}
		}
	}
	cases(t, "cookies.json", &all)
	if len(all.Cases) < 7 {
		t.Fatalf("only %d cases", len(all.Cases))
	}
	for _, each := range all.Cases {
		t.Run(each.Name, func(t *testing.T) {
			var status int
			var fields []gateway.Field
			if each.Set != nil {
				var err error
				now := time.Unix(0, int64(each.Set.Now*1e9))
				status, fields, err = gateway.SetSession(each.Set.Token, now, each.Set.Location)
				if each.Expect.Error != "" {
					if err == nil || !strings.HasPrefix(err.Error(), each.Expect.Error+":") || fields != nil {
						t.Errorf("got %v, %v", fields, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			} else {
				fields = gateway.ClearSession(each.Clear.Cookies)
			}
			var pairs [][2]string
			for _, field := range fields {
				pairs = append(pairs, [2]string{field.Name, field.Value})
			}
			if status != each.Expect.Status || !reflect.DeepEqual(pairs, each.Expect.Headers) {
				t.Errorf("got %d, %q", status, pairs)
			}
		})
	}
}
