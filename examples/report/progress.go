package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on a terminal, which gives way to lines that are written
// there. A nil one shows nothing.
type progress struct {
	out io.Writer

	mu   sync.Mutex
	bar  *progressbar.ProgressBar // nil while there is none
	text string
}

// start shows the bar until stop is called.
func (p *progress) start(length time.Duration) (stop func()) {
	if p == nil {
		return func() {}
	}
	began := time.Now()
	p.mu.Lock()
	p.bar = progressbar.NewOptions64(max(length.Milliseconds(), 1), progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetWidth(30), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true))
	p.bar.Describe(p.text)
	p.mu.Unlock()

	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.mu.Lock()
				// Never full: it would count as finished, and stay.
				_ = p.bar.Set64(min(time.Since(began), length-time.Millisecond).Milliseconds())
				p.bar.Describe(p.text)
				p.mu.Unlock()
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		wg.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// show sets the numbers before the bar.
func (p *progress) show(pageviews, sessions int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf("%d page views, %d sessions", pageviews, sessions)
	if p.bar != nil {
		p.bar.Describe(p.text)
	}
}

// Write writes a line where the bar was. The bar comes back below it.
func (p *progress) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	return p.out.Write(line)
}
