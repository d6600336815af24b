package umamitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// answer is a ResponseWriter that knows the headers of Umami.
type answer struct {
	http.ResponseWriter
	head bool
	sent func(status int) // nil: nobody asks
}

const jsonType = "application/json"

// send writes a whole answer. kind is its content type.
func (w *answer) send(status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Allow-Methods", "GET, DELETE, POST, PUT")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Dns-Prefetch-Control", "on")
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	w.WriteHeader(status)
	if !w.head {
		_, _ = w.Write(body) //nolint:gosec // no browser reads it
	}
	if len(body) > 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // so that the body is chunked, as Umami's is
	}
}

func (w *answer) json(body string) { w.send(http.StatusOK, jsonType, []byte(body)) }

// page is what Next.js answers where Umami has nothing.
func (w *answer) page(status int) {
	text := fmt.Sprintf("%d: %s", status, http.StatusText(status))
	w.send(status, "text/html; charset=utf-8",
		[]byte("<!DOCTYPE html><html><head><title>"+text+"</title></head><body><h1>"+text+"</h1></body></html>"))
}

func (w *answer) WriteHeader(status int) {
	if w.sent != nil {
		w.sent(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// fail answers an error in the version's form. details are about parameters:
// pairs of a name and what is wrong with it; a pair without a name is about
// the whole request.
func (s *Server) fail(w *answer, status int, code, message string, details ...[2]string) {
	switch s.errors {
	case plain:
		text := message
		switch {
		case len(details) > 0:
			text = strings.TrimSpace(details[0][0] + " " + details[0][1])
		case message == http.StatusText(status):
			text = fmt.Sprintf("%d %s", status, message)
		}
		w.send(status, "text/plain; charset=utf-8", []byte(text))
	case bare:
		var body any = message
		if len(details) > 0 {
			list := make([]string, len(details))
			for i, d := range details {
				list[i] = d[0] + ": " + d[1]
			}
			body = list
		}
		w.send(status, jsonType, marshal(map[string]any{"error": body}))
	case envelope:
		type problem struct {
			Errors []string `json:"errors"`
		}
		body := struct {
			Message    string             `json:"message"`
			Code       string             `json:"code"`
			Status     int                `json:"status"`
			Errors     *[]string          `json:"errors,omitempty"`
			Properties map[string]problem `json:"properties,omitempty"`
		}{Message: message, Code: code, Status: status}
		if len(details) > 0 {
			body.Errors = &[]string{}
			body.Properties = make(map[string]problem)
		}
		for _, d := range details {
			if d[0] == "" {
				*body.Errors = append(*body.Errors, d[1])
			} else {
				body.Properties[d[0]] = problem{Errors: []string{d[1]}}
			}
		}
		w.send(status, jsonType, marshal(map[string]any{"error": body}))
	}
}

// missing answers that a required field or parameter is missing.
func (s *Server) missing(w *answer, name string) {
	problem := "Invalid input: expected string, received undefined"
	if s.errors == plain {
		problem = "is a required field"
	}
	s.fail(w, http.StatusBadRequest, "bad-request", "Bad request", [2]string{name, problem})
}

// allow answers 405 if the request has none of the methods.
func (s *Server) allow(w *answer, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m || m == http.MethodGet && r.Method == http.MethodHead && !s.pagesRouter {
			return true
		}
	}
	s.notAllowed(w)
	return false
}

func (s *Server) notAllowed(w *answer) {
	if s.pagesRouter {
		s.fail(w, http.StatusMethodNotAllowed, "", "Method Not Allowed")
	} else {
		w.send(http.StatusMethodNotAllowed, "", nil)
	}
}

// marshal is for bodies of our own, which cannot fail.
func marshal(v any) []byte {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}
