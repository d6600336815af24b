package main

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var terminal bytes.Buffer
		p := &progress{out: &terminal}
		shown := func() string {
			p.mu.Lock()
			defer p.mu.Unlock()
			defer terminal.Reset()
			return terminal.String()
		}
		p.show(0, 0)
		assert.Empty(t, shown(), "not before it starts")
		stop := p.start(time.Hour)
		assert.Contains(t, shown(), "0 page views, 0 sessions")
		p.show(12, 3)
		time.Sleep(15*time.Minute + time.Second/2)
		text := shown()
		assert.Contains(t, text, "12 page views, 3 sessions")
		assert.Contains(t, text, " 25% ")
		assert.Contains(t, text, "[15m0s:45m0s]")

		fmt.Fprintln(p, "report: trouble")
		assert.Regexp(t, `\r +\rreport: trouble\n$`, shown(), "the bar gives way")
		time.Sleep(2 * time.Hour)
		assert.Contains(t, shown(), " 99% ", "never done before it is")
		stop()
		assert.Regexp(t, `\r +\r$`, shown())
		p.show(13, 3)
		assert.Empty(t, shown())
	})
	var none *progress
	none.show(1, 1)
	none.start(time.Hour)()
}
