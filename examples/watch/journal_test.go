package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// firstDiff is the first diff of a server.
func firstDiff(t *testing.T, srv *umamitest.Server) umami.Diff {
	t.Helper()
	poller, err := srv.Client().NewPoller(srv.WebsiteID, nil)
	require.NoError(t, err)
	for diff, err := range poller.All(t.Context()) {
		require.NoError(t, err)
		return diff
	}
	return umami.Diff{}
}

// pair opens a journal on two files and begins.
func pair(t *testing.T, output, checkpoint string) *journal {
	t.Helper()
	j, err := openJournal(output, checkpoint, nil)
	require.NoError(t, err)
	require.NoError(t, j.begin())
	return j
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func TestWhatTheCheckpointDoesNotKnowIsCutOff(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer(umamitest.InProcess())
	defer srv.Close()
	at := firstDiff(t, srv).Checkpoint()
	output, checkpoint := filepath.Join(t.TempDir(), "o"), filepath.Join(t.TempDir(), "c")

	// Killed before anything was done: there is only part of a line.
	j := pair(t, output, checkpoint)
	_, err := j.out.Write([]byte(`{"type":"pa`))
	require.NoError(t, err)
	j.close()

	j = pair(t, output, checkpoint)
	assert.Empty(t, content(t, output))
	assert.Nil(t, j.state.Checkpoint)
	require.NoError(t, j.write([]byte("1\n"), at))
	require.NoError(t, j.write([]byte("2\n"), at))
	// Killed between the output and the checkpoint, as the disk has it.
	kept := content(t, checkpoint)
	require.NoError(t, j.write([]byte("3\n4"), at))
	j.close()
	require.NoError(t, os.WriteFile(checkpoint, []byte(kept), 0o600))
	require.NoError(t, os.WriteFile(checkpoint+".tmp", []byte(`{"watch":1,"out`), 0o600))

	j = pair(t, output, checkpoint)
	assert.Equal(t, "1\n2\n", content(t, output))
	require.NoError(t, j.write([]byte("3\n"), at))
	j.close()
	assert.Equal(t, "1\n2\n3\n", content(t, output))
	assert.NoFileExists(t, checkpoint+".tmp")
	require.NotNil(t, j.state.Checkpoint)
}

func TestWrongFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	srv.Visit(umamitest.Visit{})
	diff := firstDiff(t, srv)
	text, err := json.Marshal(diff.Checkpoint())
	require.NoError(t, err)
	good := string(text)
	diff.WebsiteID = "86d4095c-a2a8-4fc8-9521-103e858e2b41"
	other, err := json.Marshal(diff.Checkpoint())
	require.NoError(t, err)
	env := map[string]string{"UMAMI_URL": srv.URL, "UMAMI_WEBSITE_ID": srv.WebsiteID, "UMAMI_TOKEN": umamitest.Token}
	state := func(output, length, checkpoint string) string {
		return `{"watch":1,"output":"` + output + `","length":` + length + `,"checkpoint":` + checkpoint + `}`
	}

	for name, c := range map[string]struct{ output, checkpoint, want string }{
		"empty":            {"1\n", "", "c is no checkpoint of watch, or damaged: "},
		"cut short":        {"1\n", state("o", "2", good)[:200], "c is no checkpoint of watch, or damaged: "},
		"garbage":          {"1\n", "\x00\x1b[31m", "c is no checkpoint of watch, or damaged: "},
		"other JSON":       {"", "{}", "c is no checkpoint of watch, or damaged"},
		"bare checkpoint":  {"", good, "c is no checkpoint of watch, or damaged"},
		"one bit":          {"1\n", state("o", "2", strings.Replace(good, `"seq":1`, `"seq":3`, 1)), "c is no checkpoint of watch, or damaged: "},
		"no checkpoint":    {"1\n", state("o", "2", "null"), "c is no checkpoint of watch, or damaged"},
		"below zero":       {"1\n", state("o", "-2", good), "c is no checkpoint of watch, or damaged"},
		"newer":            {"1\n", strings.Replace(state("o", "2", good), `"watch":1`, `"watch":2`, 1), "c was written by a newer watch"},
		"newer within":     {"1\n", state("o", "2", strings.Replace(good, `"version":1`, `"version":2`, 1)), "newer"},
		"other website":    {"1\n", state("o", "2", string(other)), "86d4095c-a2a8-4fc8-9521-103e858e2b41"},
		"other output":     {"1\n", state("p", "2", good), "c belongs to p, not to o"},
		"standard output":  {"1\n", state("", "0", good), "c belongs to the standard output, not to o"},
		"shorter output":   {"1\n", state("o", "4", good), "o does not belong to c, by which a line ends after 4 bytes"},
		"another's output": {"1234\n", state("o", "2", good), "o does not belong to c, by which a line ends after 2 bytes"},
		"output, no state": {"1\n", "-", "o is not empty, and there is no checkpoint that belongs to it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			output, checkpoint := filepath.Join(folder, "o"), filepath.Join(folder, "c")
			require.NoError(t, os.WriteFile(output, []byte(c.output), 0o600))
			if c.checkpoint != "-" {
				require.NoError(t, os.WriteFile(checkpoint, []byte(c.checkpoint), 0o600))
			}
			var stdout, stderr bytes.Buffer
			status := run([]string{"-o", output, "-checkpoint", checkpoint}, func(k string) string { return env[k] }, &stdout, &stderr)
			assert.Equal(t, 1, status)
			told := strings.ReplaceAll(stderr.String(), folder+string(filepath.Separator), "")
			assert.Contains(t, told, c.want)
			assert.Equal(t, 1, strings.Count(told, "\n"), "one line: %q", told)
			assert.NotContains(t, told, "\x1b")
			assert.Equal(t, c.output, content(t, output))
			if c.checkpoint != "-" {
				assert.Equal(t, c.checkpoint, content(t, checkpoint))
			} else {
				assert.NoFileExists(t, checkpoint)
			}
			assert.NoFileExists(t, checkpoint+".tmp")
			assert.Empty(t, stdout.String())
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"help":           {[]string{"-h"}, 0, "-checkpoint FILE"},
		"unknown flag":   {[]string{"-x"}, 2, "not defined: -x"},
		"argument":       {[]string{"x\x1b"}, 2, `unknown argument "x\x1b"`},
		"one file":       {[]string{"-o", file, "-checkpoint", filepath.Dir(file) + "/./f"}, 1, "must be two files"},
		"a folder":       {[]string{"-o", filepath.Dir(file)}, 1, "is no regular file"},
		"no such folder": {[]string{"-checkpoint", filepath.Join(file+"s", "c")}, 1, "no such"},
		"no interval":    {[]string{"-interval", "-1s"}, 2, "-interval is -1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "no such folder" && os.PathSeparator != '/' {
				t.Skip("other words there")
			}
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.status, run(c.args, func(string) string { return "" }, &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.want)
			assert.Empty(t, stdout.String())
		})
	}
	assert.Empty(t, content(t, file))
	assert.NoFileExists(t, filepath.Dir(file)+".lock")
}
