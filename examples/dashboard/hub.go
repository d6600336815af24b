package main

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

const (
	// beat is how often a stream says something, so that proxies keep it and
	// the page knows that it is still there.
	beat = 15 * time.Second
	// patience is how long a browser may take nothing before it is left.
	patience = 10 * time.Second
)

// hub gives each browser the newest state, as server-sent events. Each event
// holds the whole state, so a browser that is new, was away or is slow needs
// nothing of what it missed, and nobody keeps a queue for it.
type hub struct {
	mu      sync.Mutex
	event   []byte        // nil before the first
	changed chan struct{} // closed when there is a newer event
}

func newHub() *hub { return &hub{changed: make(chan struct{})} }

// publish makes state, which is JSON in one line, the newest, unless it is that
// already.
func (h *hub) publish(state []byte) {
	event := append(append([]byte("data: "), state...), "\n\n"...)
	h.mu.Lock()
	defer h.mu.Unlock()
	if bytes.Equal(event, h.event) {
		return
	}
	h.event = event
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hub) newest() (event []byte, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.event, h.changed
}

// ServeHTTP streams until the browser is gone or the server ends.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	stream := http.NewResponseController(w)
	send := func(event []byte) bool {
		if stream.SetWriteDeadline(time.Now().Add(patience)) != nil {
			return false
		}
		_, err := w.Write(event)
		return err == nil && stream.Flush() == nil
	}
	alive := time.NewTicker(beat)
	defer alive.Stop()
	// A comment alone is not seen by a page's script, so this is an event. It
	// comes first, too: the page is connected, whatever Umami does.
	here := []byte("event: beat\ndata: .\n\n")
	var sent []byte
	for ok := send(here); ok; {
		event, changed := h.newest()
		if !bytes.Equal(event, sent) {
			if !send(event) {
				return
			}
			sent = event
		}
		select {
		case <-changed:
		case <-alive.C:
			ok = send(here)
		case <-r.Context().Done():
			return
		}
	}
}
