package umami

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed721439b2/umami-go/internal/send"
	"github.com/seed721439b2/umami-go/internal/wire"
)

// Kinds of errors, for errors.Is. The first six match an *APIError by its
// status.
var (
	ErrBadRequest   = errors.New("bad request")  // 400
	ErrUnauthorized = errors.New("unauthorized") // 401; Umami also answers so for a website that the caller may not see
	ErrForbidden    = errors.New("forbidden")    // 403
	ErrNotFound     = errors.New("not found")    // 404; from GetWebsite also without an *APIError
	ErrRateLimited  = errors.New("rate limited") // 429
	ErrServer       = errors.New("server error") // 500 and above

	// ErrInvalidArgument says that the input is bad; nothing was sent.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrCheckpoint says that a checkpoint cannot be resumed from: it is of
	// another website or other filters, damaged, or of a newer format.
	ErrCheckpoint = errors.New("checkpoint refused")
	// ErrResponseTooLarge says that a reply is above the limit of
	// WithMaxResponseBytes.
	ErrResponseTooLarge = send.ErrTooLarge
	// ErrCrowded says that more rows share one instant (a millisecond on
	// PostgreSQL, a second on ClickHouse) than ListEvents can read; see there for
	// the limits.
	ErrCrowded = wire.ErrCrowded
	// ErrRedirectRefused says that a redirect was not followed: it leads to another
	// host, port or scheme, would turn a login into a GET, is the tenth in a row, or
	// was refused by your own CheckRedirect.
	ErrRedirectRefused = send.ErrRedirect
	// ErrTwoFactorRequired says that a login asks for a second factor (servers
	// since 3.3). Use an API key or a token for such an account.
	ErrTwoFactorRequired = errors.New("the account asks for a second factor; use an API key or a token instead")
)

// APIError is a response that is not 2xx, of the server or of a proxy in front of
// it. Find it with errors.As or errors.AsType[*APIError].
type APIError struct {
	StatusCode int
	// Code is Umami's own word for the error, if it has one (servers since 3.0),
	// such as "unauthorized".
	Code string
	// Message is the server's message, unescaped, at most 64 KiB of it: print it
	// with %q, as Error does. It is "" if there was nothing readable.
	Message string
	// Method and Path are those of the request. Path has neither host nor query,
	// and not the id of a share link.
	Method, Path string
	// RetryAfter is how long the server asks to wait, 0 if it does not.
	RetryAfter time.Duration
	// Attempts is how often the call was sent, retries included.
	Attempts int
	// Body is the body as it came, at most 64 KiB of it. Asterisks stand for the
	// credential if it was repeated.
	Body []byte
}

// Error names the request and the answer, and says what to do about it.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d", e.Method, e.Path, e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (attempt %d)", e.Attempts)
	}
	if e.Message != "" && !strings.EqualFold(e.Message, http.StatusText(e.StatusCode)) {
		fmt.Fprintf(&b, ": %q", short(e.Message))
	}
	if advice := e.advice(); advice != "" {
		b.WriteString(": " + advice)
	}
	return b.String()
}

func (e *APIError) advice() string {
	switch {
	case e.StatusCode == http.StatusUnauthorized && strings.HasSuffix(e.Path, "/auth/login"):
		return "check the username and the password"
	case e.StatusCode == http.StatusBadRequest && strings.Contains(e.Message, "API key"):
		return "Umami Cloud takes an API key: use APIKey"
	case e.StatusCode == http.StatusUnauthorized && (strings.HasSuffix(e.Path, "/me") || strings.HasSuffix(e.Path, "/auth/verify")):
		return "the credential is wrong or has expired"
	case e.StatusCode == http.StatusUnauthorized:
		return "the credential is wrong or has expired, or this website is not the caller's to see (Umami answers 401 for both)"
	case e.StatusCode == http.StatusForbidden:
		return "the server, or a proxy in front of it, does not let this caller in"
	case e.StatusCode == http.StatusNotFound && strings.HasSuffix(e.Path, "/share/…"):
		return "there is no such share link, or the base URL is wrong"
	case e.StatusCode == http.StatusNotFound, e.StatusCode == http.StatusMethodNotAllowed:
		return "no such call there: check the base URL"
	case e.StatusCode == http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("too many calls: try again in %v, or lower the rate with WithRateLimit", e.RetryAfter)
		}
		return "too many calls: lower the rate with WithRateLimit"
	case e.StatusCode == http.StatusInternalServerError && len(e.Body) == 0:
		return "Umami sends this when it cannot reach its database, or cannot use a filter or an id: see the server's log"
	case e.StatusCode >= 500:
		return "the server, or a proxy in front of it, is failing: see its log"
	case e.StatusCode >= 300 && e.StatusCode < 400:
		return "an unexpected redirect: check the base URL"
	}
	return ""
}

// Is matches the sentinels by status.
func (e *APIError) Is(target error) bool {
	switch e.StatusCode {
	case http.StatusBadRequest:
		return target == ErrBadRequest
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusTooManyRequests:
		return target == ErrRateLimited
	}
	return e.StatusCode >= 500 && target == ErrServer
}

// LogValue is what log/slog writes: everything but the body.
func (e *APIError) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("status", e.StatusCode), slog.String("code", e.Code), slog.String("message", short(e.Message)),
		slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Duration("retry_after", e.RetryAfter), slog.Int("attempts", e.Attempts),
	)
}

func newAPIError(r *request, a *send.Answer) *APIError {
	r.hidden.Hide(a.Body)
	e := &APIError{
		StatusCode: a.StatusCode, Method: r.method, Path: r.shown,
		RetryAfter: send.RetryAfter(a.Header), Attempts: a.Attempts, Body: a.Body,
	}
	e.Code, e.Message = errorText(e.Body)
	e.Code, e.Message = r.hidden.HideIn(e.Code), r.hidden.HideIn(e.Message) // again: JSON may have spelt it otherwise
	return e
}

// errorText reads the body of an error in the form of every version: plain
// text (to 2.15), {"error": text, list or object} (2.16 to 2.20), and an
// envelope with message and code (since 3.0). A proxy's page has no text for
// us.
func errorText(body []byte) (code, message string) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || isPage(body) {
		return "", ""
	}
	var envelope struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || body[0] != '{' {
		return "", valid(body)
	}
	var text string
	var list []string
	var object struct {
		Message    string          `json:"message"`
		Code       string          `json:"code"`
		Errors     []any           `json:"errors"`
		Properties json.RawMessage `json:"properties"`
	}
	switch {
	case envelope.Error == nil || string(envelope.Error) == "null":
		return "", envelope.Message
	case json.Unmarshal(envelope.Error, &text) == nil:
		return "", text
	case json.Unmarshal(envelope.Error, &list) == nil:
		return "", strings.Join(list, "; ")
	case json.Unmarshal(envelope.Error, &object) == nil && object.Message != "":
		message = object.Message
		for _, e := range object.Errors {
			if text, ok := e.(string); ok {
				message += "; " + text
			}
		}
		if object.Properties != nil {
			message += "; " + valid(object.Properties)
		}
		return object.Code, message
	}
	return object.Code, valid(envelope.Error)
}

func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// DecodeError is a 2xx response whose body is not what Umami sends: another
// service's reply, a web page, or one that broke off. Find it with errors.As or
// errors.AsType[*DecodeError].
type DecodeError struct {
	// Method and Path are those of the request, as in APIError.
	Method, Path string
	// Field is the JSON pointer (RFC 6901) to the value that is wrong, such
	// as "/events/3/createdAt"; "" is the whole body.
	Field string
	// Offset is the position of the problem in Body, in bytes.
	Offset int64
	// Excerpt is a little of the body around Offset. It and Body are empty for
	// replies that hold a credential.
	Excerpt string
	// Body is the body as far as it was received. Asterisks stand for the
	// credential if it was repeated.
	Body []byte
	// Err is what is wrong.
	Err error

	page bool // HTML
}

// Error names the request and says where the reply is wrong.
func (e *DecodeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: the answer is not what Umami sends: ", e.Method, e.Path)
	if e.Field != "" {
		fmt.Fprintf(&b, "at %q: ", e.Field)
	}
	fmt.Fprintf(&b, "%v (byte %d", e.Err, e.Offset)
	if e.Excerpt != "" {
		fmt.Fprintf(&b, ", %q", e.Excerpt)
	}
	b.WriteString(")")
	if e.page {
		b.WriteString(": a web page: check the base URL, or whether a proxy asks for a login")
	}
	return b.String()
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// LogValue is what log/slog writes: everything but the body.
func (e *DecodeError) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("method", e.Method), slog.String("path", e.Path), slog.String("field", e.Field),
		slog.Int64("offset", e.Offset), slog.String("excerpt", e.Excerpt), slog.Any("error", e.Err),
	)
}

func newDecodeError(r *request, body []byte, err error) *DecodeError {
	e := &DecodeError{Method: r.method, Path: r.shown, Err: err, page: isPage(body)}
	if at, ok := errors.AsType[*wire.Error](err); ok {
		field, cut := strings.CutSuffix(at.Field, "…")
		e.Field, e.Offset, e.Err = r.hidden.HideIn(field), at.Offset, at.Err
		if cut {
			e.Field += "…"
		}
	} else if cut, ok := errors.AsType[*send.BodyError](err); ok {
		// Not err itself, whose body would be marshalled.
		e.Offset, e.Err = int64(len(body)), fmt.Errorf("the body broke off: %w", cut.Err)
	}
	if r.secretReply {
		return e
	}
	const around = 24
	r.hidden.Hide(body)
	from := min(max(e.Offset-around, 0), int64(len(body)))
	to := min(e.Offset+around, int64(len(body)))
	e.Body, e.Excerpt = body, string(body[from:to])
	return e
}

// isPage tells HTML, which Umami never sends; some proxies put a byte order
// mark before it.
func isPage(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, "\ufeff \t\r\n"), []byte("<"))
}

// short is text for a message: its beginning.
func short(text string) string {
	const most = 200
	if len(text) <= most {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
