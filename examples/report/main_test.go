package main

import (
	"bytes"
	"context"
	"net/http/httptest"
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

	"github.com/seed721439b2/umami-go/umamitest"
)

const simulated = "report: simulated traffic; set UMAMI_URL and more to read a server, see README.md\n"

// build compiles the program, for what only a process can show.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "report.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

func TestProgram(t *testing.T) {
	t.Parallel()
	program := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a program that does not end
	t.Cleanup(cancel)
	srv := umamitest.NewServer(busy)
	t.Cleanup(srv.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	env := func(url, token string) []string {
		return []string{"UMAMI_URL=" + url, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=" + token}
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "report.html")

	for name, c := range map[string]struct {
		args           []string
		env            []string
		status         int
		stdout, stderr string // what they begin with; "" for nothing at all
	}{
		"help":             {[]string{"-h"}, nil, 0, "", "Usage of report:\n"},
		"unknown flag":     {[]string{"-x"}, nil, statusUsage, "", "flag provided but not defined: -x\n"},
		"argument":         {[]string{"x"}, nil, statusUsage, "", `report: unknown argument "x"`},
		"format":           {[]string{"-format", "pdf"}, nil, statusUsage, "", `report: -format is "pdf", not text, json, csv or html`},
		"no time":          {[]string{"-for", "0"}, nil, statusUsage, "", "report: -for is 0s, not a time up to 24h"},
		"days":             {[]string{"-for", "25h"}, nil, statusUsage, "", "report: -for is 25h0m0s, not a time up to 24h"},
		"no credential":    {nil, []string{"UMAMI_URL=" + srv.URL}, statusSetting, "", "report: no credential: set UMAMI_API_KEY"},
		"wrong token":      {nil, env(srv.URL, "wrong"), statusSetting, "", "report: umami: poll: "},
		"no such file":     {[]string{"-o", filepath.Join(folder, "no", "r")}, env(srv.URL, umamitest.Token), statusOutput, "", "report: cannot write " + filepath.Join(folder, "no", "r") + ": "},
		"a folder":         {[]string{"-o", folder}, env(srv.URL, umamitest.Token), statusOutput, "", "report: " + folder + " is no regular file"},
		"cannot choose":    {nil, []string{"UMAMI_URL=" + closed.URL, "UMAMI_TOKEN=t"}, statusServer, "", "report: cannot read 127.0.0.1:"},
		"a server":         {[]string{"-format", "json"}, env(srv.URL, umamitest.Token), 0, "{\n  \"site\": \"127.0.0.1:", ""},
		"simulated":        {nil, nil, 0, "Umami report  simulated traffic  ", simulated},
		"to a file":        {[]string{"-format", "html", "-o", file}, env(srv.URL, umamitest.Token), 0, "", ""},
		"for a short time": {[]string{"-for", "10ms", "-format", "csv"}, nil, 0, "kind,name,detail,pageviews,events,sessions\n", simulated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(ctx, program, c.args...)
			cmd.Env = append([]string{}, c.env...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // ProcessState tells
			assert.Equal(t, c.status, cmd.ProcessState.ExitCode(), "%s", &stderr)
			for _, out := range []struct{ want, got string }{{c.stdout, stdout.String()}, {c.stderr, stderr.String()}} {
				assert.True(t, strings.HasPrefix(out.got, out.want), "%q", out.got)
				assert.Equal(t, out.want == "", out.got == "", "%q", out.got)
			}
			if name == "to a file" {
				assert.Contains(t, readFile(t, file)[:100], "<!DOCTYPE html>")
			}
			if c.status != statusUsage && name != "help" {
				assert.LessOrEqual(t, strings.Count(stderr.String(), "\n"), 1)
			}
		})
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such signals")
	}
	program := build(t)
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "report.txt")
	require.NoError(t, os.WriteFile(file, []byte("yesterday's"), 0o600))
	for i, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		srv.Fail(1, umamitest.Hang())
		cmd := exec.CommandContext(t.Context(), program, "-for", "1h", "-o", file)
		cmd.Env = []string{"UMAMI_URL=" + srv.URL, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=" + umamitest.Token}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		for deadline := time.Now().Add(time.Minute); len(srv.Requests()) <= i; time.Sleep(time.Millisecond) {
			require.True(t, time.Now().Before(deadline), "no request for a minute")
		}
		require.NoError(t, cmd.Process.Signal(signal))
		_ = cmd.Wait()
		assert.Equal(t, statusServer, cmd.ProcessState.ExitCode())
		assert.Equal(t, "report: interrupted before the server answered: no report\n", stderr.String())
		assert.Equal(t, "yesterday's", readFile(t, file))
		assert.Equal(t, []string{"report.txt"}, names(t, filepath.Dir(file)), "nothing else is left")
	}
}

func TestReaderGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("another error there")
	}
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	defer writer.Close()
	cmd := exec.CommandContext(t.Context(), build(t))
	cmd.Env, cmd.Stdout = []string{}, writer
	require.NoError(t, cmd.Run(), "status 0")
}
