package main

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed static
var static embed.FS

var index = template.Must(template.ParseFS(static, "static/index.html"))

// handler serves the page about a website, its files and its events.
func handler(title string, simulated bool, events http.Handler) http.Handler {
	var page bytes.Buffer
	if err := index.Execute(&page, map[string]any{"Title": title, "Simulated": simulated}); err != nil {
		panic(err) // the template and what it gets are our own
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page.Bytes())
	})
	for _, file := range []string{"app.js", "chart.js", "style.css", "icon.svg"} {
		mux.HandleFunc("GET /static/"+file, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, static, "static/"+file)
		})
	}
	mux.Handle("GET /events", events)
	return secure(mux)
}

// secure sets what browsers may do with the answers: the page runs and loads
// nothing but its own files, and makes no markup of text.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
