package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrongStarts(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	for name, c := range map[string]struct {
		args   []string
		getenv func(string) string
		status int
		want   string
	}{
		"help":           {[]string{"-h"}, none, 0, "-pages"},
		"negative pages": {[]string{"-pages", "-1"}, none, 2, "-pages"},
		"argument":       {[]string{"now"}, none, 2, `exporter: unknown argument "now"` + "\n"},
		"setting":        {nil, func(string) string { return "x" }, 1, "exporter: more than one credential: "},
		"address":        {[]string{"-addr", "127.0.0.1:x"}, none, 1, "; choose another address with -addr\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.status, run(c.args, c.getenv, &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.want)
			assert.Empty(t, stdout.String())
		})
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such signals")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a program that does not end
	defer cancel()
	program := filepath.Join(t.TempDir(), "exporter")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-pages", "3")
		cmd.Env = []string{}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var told []byte
		address := regexp.MustCompile(`metrics at (http://\S+)/metrics\n`)
		for !address.Match(told) {
			part := make([]byte, 1000)
			n, err := stdout.Read(part)
			require.NoError(t, err)
			told = append(told, part[:n]...)
		}
		assert.Contains(t, string(told), "simulated traffic")
		get := func(path string) (int, string) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(address.FindSubmatch(told)[1])+path, nil)
			require.NoError(t, err)
			answer, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			return answer.StatusCode, string(body)
		}
		status, body := get("/healthz")
		assert.Equal(t, http.StatusOK, status, body)
		status, body = get("/metrics")
		assert.Equal(t, http.StatusOK, status)
		for _, metric := range []string{`umami_page_views_total{page="other"}`, "umami_request_duration_seconds_bucket{", "go_goroutines "} {
			assert.Contains(t, body, "\n"+metric)
		}
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait(), "status 0")
		assert.Empty(t, stderr.String())
	}
}
