package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serve is the server process. Its base URLs are /CODING/ROWS/WHO: below plain
// it answers as Umami does, in chunks, as from behind a proxy that compresses
// below gzip; with as many rows as asked; for any website. /served/WHO tells
// how many replies were sent to WHO. It writes its address and ends when its
// standard input does.
func serve() error {
	replies, err := readReplies()
	if err != nil {
		return err
	}
	var served sync.Map // of *atomic.Int64
	counter := func(r *http.Request) *atomic.Int64 {
		n, _ := served.LoadOrStore(r.PathValue("who"), new(atomic.Int64))
		return n.(*atomic.Int64)
	}
	mux := http.NewServeMux()
	for _, reply := range replies {
		rows := "/" + strconv.Itoa(reply.rows) + "/{who}/api/realtime/{id}"
		mux.HandleFunc("GET /plain"+rows, func(w http.ResponseWriter, r *http.Request) {
			counter(r).Add(1)
			answer(w, reply.plain)
		})
		mux.HandleFunc("GET /gzip"+rows, func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				http.Error(w, "nobody asked for gzip", http.StatusNotAcceptable)
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			answer(w, reply.gzipped)
		})
	}
	mux.HandleFunc("GET /served/{who}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, counter(r).Load())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode("http://" + listener.Addr().String()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answer writes a body in chunks, as Umami does.
func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if f, ok := w.(http.Flusher); ok {
		f.Flush() // else a short body gets a Content-Length
	}
	_, _ = w.Write(body)
}
