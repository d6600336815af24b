package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/seed721439b2/umami-go/umamitest"
)

// As in a service that propagates its traces to its own servers.
func TestMain(m *testing.M) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	os.Exit(m.Run())
}

// build compiles the program, for what only a process can show.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "otel.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

func TestProgram(t *testing.T) {
	t.Parallel()
	program := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a program that does not end
	t.Cleanup(cancel)
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	for name, c := range map[string]struct {
		args           []string
		env            []string
		status         int
		stdout, stderr []string
	}{
		"argument":      {[]string{"-x"}, nil, 2, nil, []string{"usage: otel "}},
		"no credential": {nil, []string{"UMAMI_URL=" + srv.URL}, 1, nil, []string{"otel: no credential: set UMAMI_API_KEY"}},
		"wrong token": {
			nil,
			[]string{"UMAMI_URL=" + srv.URL, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=secret"},
			1,
			[]string{`"Name":"HTTP GET"`, `"Name":"umami.GetRealtime"`, `"Name":"http.client.request.duration"`, `"Value":401`},
			[]string{"otel: umami: get realtime: ", "check UMAMI_TOKEN and UMAMI_WEBSITE_ID"},
		},
		"no website": {
			nil,
			[]string{"UMAMI_URL=" + srv.URL, "UMAMI_TOKEN=secret"},
			1,
			[]string{`"Name":"HTTP GET"`, `"Name":"umami.ListWebsites"`},
			[]string{"check UMAMI_TOKEN"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(ctx, program, c.args...)
			cmd.Env = append([]string{}, c.env...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // ProcessState tells
			assert.Equal(t, c.status, cmd.ProcessState.ExitCode())
			for _, want := range c.stdout {
				assert.Contains(t, stdout.String(), want)
			}
			for _, want := range c.stderr {
				assert.Contains(t, stderr.String(), want)
			}
			assert.Equal(t, c.stdout == nil, stdout.Len() == 0)
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %q", &stderr)
			assert.NotContains(t, stdout.String()+stderr.String(), "secret")
		})
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such signals")
	}
	program := build(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = []string{}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var names []string
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var span struct {
				Name string `json:"Name"`
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &span), "a line of JSON each")
			names = append(names, span.Name)
			if len(names) == 2 {
				require.NoError(t, cmd.Process.Signal(signal))
			}
			if strings.Contains(lines.Text(), "http.client.request.duration") {
				names = append(names, "metrics")
			}
		}
		require.NoError(t, cmd.Wait(), "status 0")
		assert.Equal(t, []string{"HTTP GET", "umami.GetRealtime"}, names[:2])
		assert.Equal(t, "metrics", names[len(names)-1], "the last ones are not lost")
		assert.Equal(t, "otel: simulated traffic; set UMAMI_URL and more to read a server, see README.md\n", stderr.String())
	}
}
