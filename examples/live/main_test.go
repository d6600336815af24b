package main

import (
	"bufio"
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

// build compiles the program, for what only a process can show.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "live.exe")
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
	twoFactor := umamitest.NewServer(umamitest.WithTwoFactor())
	t.Cleanup(twoFactor.Close)
	login := []string{"UMAMI_USERNAME=" + umamitest.Username, "UMAMI_PASSWORD=" + umamitest.Password}
	closed := httptest.NewServer(nil)
	closed.Close()
	env := func(url, credential string) []string {
		return []string{"UMAMI_URL=" + url, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, credential}
	}

	for name, c := range map[string]struct {
		args   []string
		env    []string
		status int
		want   string
	}{
		"argument":       {[]string{"--help"}, nil, 2, "usage: "},
		"no credential":  {nil, []string{"UMAMI_URL=" + srv.URL}, 1, "live: no credential: set UMAMI_API_KEY"},
		"wrong token":    {nil, env(srv.URL, "UMAMI_TOKEN=wrong"), 1, "401 Unauthorized"},
		"wrong share ID": {nil, env(srv.URL, "UMAMI_SHARE_ID=wrong"), 1, "check UMAMI_SHARE_ID and UMAMI_URL"},
		"wrong password": {nil, append(env(srv.URL, "UMAMI_USERNAME=admin"), "UMAMI_PASSWORD=wrong"), 1, "check UMAMI_USERNAME and UMAMI_PASSWORD"},
		"second factor":  {nil, append(login, env(twoFactor.URL, "")[:2]...), 1, "set UMAMI_API_KEY or UMAMI_TOKEN instead of UMAMI_USERNAME and UMAMI_PASSWORD"},
		"server down":    {nil, env(closed.URL, "UMAMI_TOKEN=any"), 1, "check UMAMI_URL"},
		"no API there":   {nil, env(srv.URL+"/nowhere", "UMAMI_TOKEN=any"), 1, "check UMAMI_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(ctx, program, c.args...)
			cmd.Env = append(c.env, "TERM=xterm")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			require.Error(t, err)
			assert.Equal(t, c.status, cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), c.want)
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %q", stderr.String())
			assert.Empty(t, stdout.String())
			assert.NotContains(t, stderr.String(), "=wrong")
		})
	}

	t.Run("two websites", func(t *testing.T) {
		t.Parallel()
		two := umamitest.NewServer(umamitest.WithWebsites(umamitest.Website{ID: websiteID, Domain: "shop.example.com", Name: "Shop"}))
		defer two.Close()
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = []string{"UMAMI_URL=" + two.URL, "UMAMI_TOKEN=" + umamitest.Token}
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Equal(t, 1, cmd.ProcessState.ExitCode())
		assert.Equal(t, umamitest.WebsiteID+"  main.example.com  lab main\n"+websiteID+"  shop.example.com  Shop\n"+
			"live: UMAMI_WEBSITE_ID is not set: set it to the first word of one of these lines\n", string(out))
	})

	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("no such signals")
			}
			cmd := exec.CommandContext(ctx, program)
			cmd.Env = []string{}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			assert.Regexp(t, `^\S+\t(view|event)\t/`, line)
			require.NoError(t, cmd.Process.Signal(signal))
			require.NoError(t, cmd.Wait(), "status 0")
			assert.Contains(t, stderr.String(), "simulated traffic")
		})
	}

	t.Run("reader gone", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("another error there")
		}
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		defer writer.Close()
		cmd := exec.CommandContext(ctx, program)
		cmd.Env, cmd.Stdout = []string{}, writer
		require.NoError(t, cmd.Run(), "status 0")
	})
}
