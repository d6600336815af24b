package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
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
	program := filepath.Join(t.TempDir(), "watch.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// process is a running watch.
type process struct {
	*exec.Cmd
	stderr, stdout bytes.Buffer
	ended          chan struct{}
}

func start(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), program, append([]string{"-interval", "20ms"}, args...)...), ended: make(chan struct{})}
	p.Env, p.Stdout, p.Stderr = env, &p.stdout, &p.stderr
	require.NoError(t, p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait() // ProcessState tells
	}()
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Process.Kill())
	<-p.ended
	require.False(t, p.ProcessState.Success())
}

// waitFor waits until the process has brought something about; the time that
// takes is of no matter.
func (p *process) waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !met() {
		select {
		case <-p.ended:
			require.Fail(t, "it has ended", "no %s; %s", what, &p.stderr)
		case <-time.After(100 * time.Microsecond):
			require.True(t, time.Now().Before(deadline), "no %s for a minute", what)
		}
	}
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// visits reads a file of lines: each as what tells visits apart, and its key.
func visits(t *testing.T, file string) (found, keys []string) {
	t.Helper()
	for l := range strings.Lines(content(t, file)) {
		var v struct {
			Type        string    `json:"type"`
			Key         string    `json:"key"`
			SessionID   string    `json:"sessionId"`
			CreatedAt   time.Time `json:"createdAt"`
			URLPath     string    `json:"urlPath"`
			EventName   string    `json:"eventName"`
			Performance bool      `json:"performance"`
		}
		require.NoError(t, json.Unmarshal([]byte(l), &v), "%q", l)
		found = append(found, fmt.Sprintln(v.CreatedAt.UnixMilli(), v.Type, v.SessionID, v.URLPath, v.EventName, v.Performance))
		keys = append(keys, v.Key)
	}
	return found, keys
}

// truth is what a perfect reader would have written.
func truth(srv *umamitest.Server) (rows []string) {
	for _, r := range srv.Truth() {
		kind := "pageview"
		if r.Kind == umamitest.CustomEvent {
			kind = "event"
		}
		rows = append(rows, fmt.Sprintln(r.CreatedAt.UnixMilli(), kind, r.SessionID, r.URLPath, r.EventName, r.Kind == umamitest.Beacon))
	}
	return rows
}

// TestKill kills the program again and again, and holds what it wrote against
// what happened.
func TestKill(t *testing.T) {
	t.Parallel()
	program := build(t)
	// The server's clock runs with the visits, which come one by one and not, as
	// the test would have it, all within the few seconds that rows may be late.
	var clock atomic.Int64
	clock.Store(time.Now().UnixMilli())
	srv := umamitest.NewServer(umamitest.WithClock(func() time.Time { return time.UnixMilli(clock.Load()) }))
	t.Cleanup(srv.Close)
	folder := t.TempDir()
	output, checkpoint := filepath.Join(folder, "visits.jsonl"), filepath.Join(folder, "checkpoint")
	env := []string{"UMAMI_URL=" + srv.URL, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=" + umamitest.Token}
	watch := func() *process { return start(t, program, env, "-o", output, "-checkpoint", checkpoint) }

	random := rand.New(rand.NewPCG(1, 1))
	visit := func(n int) {
		for range n {
			clock.Add(random.Int64N(5000))
			v := umamitest.Visit{SessionID: fmt.Sprintf("00000000-0000-4000-8000-%012d", random.IntN(9)), URLPath: fmt.Sprint("/", random.IntN(5))}
			switch random.IntN(6) {
			case 0:
				srv.Event("buy", v)
			case 1:
				srv.Performance(v)
			case 2: // twice the same
				srv.Visit(srv.Visit(v).Visit)
			default:
				srv.Visit(v)
			}
		}
	}
	recorded := func() int64 {
		var s state
		if text, err := os.ReadFile(checkpoint); err != nil || json.Unmarshal(text, &s) != nil {
			return 0
		}
		return s.Length
	}
	written := func() bool {
		return strings.Count(content(t, output), "\n") >= len(srv.Truth()) && recorded() == size(output)
	}

	visit(50)
	between := 0
	for round := range 20 {
		visit(random.IntN(4)) // while it is not there
		before, requests := size(output), len(srv.Requests())
		p := watch()
		visit(1 + random.IntN(8))
		switch random.IntN(4) {
		case 0:
			p.waitFor(t, "request", func() bool { return len(srv.Requests()) > requests+random.IntN(3) })
		case 1:
			p.waitFor(t, "new line", func() bool { return size(output) > before })
		case 2:
			p.waitFor(t, "new line", func() bool { return size(output) > before })
			for range random.IntN(100) { // somewhat later
				size(output)
			}
		case 3:
			p.waitFor(t, "visit's line", written)
			visit(1 + random.IntN(8))
			p.waitFor(t, "request", func() bool { return len(srv.Requests()) > requests+4 })
		}
		p.kill(t)
		if size(output) > recorded() {
			between++
		}
		if round%2 == 1 { // no reply shows more than 100 visits
			p := watch()
			p.waitFor(t, "visit's line", written)
			p.kill(t)
		}
	}
	t.Log(between, "times killed between the output and the checkpoint,", len(srv.Truth()), "visits")

	p := watch()
	visit(3)
	p.waitFor(t, "visit's line", written)
	p.kill(t)
	found, keys := visits(t, output)
	assert.ElementsMatch(t, truth(srv), found, "each visit once")
	assert.True(t, slices.IsSortedFunc(found, func(a, b string) int { return strings.Compare(a[:13], b[:13]) }), "in order")
	slices.Sort(keys)
	assert.Len(t, slices.Compact(keys), len(found), "each with a key of its own")
}

// handled is how many diffs a checkpoint file is of.
func handled(file string) int {
	var s struct {
		Checkpoint struct {
			Seq int `json:"seq"`
		} `json:"checkpoint"`
	}
	text, _ := os.ReadFile(file)
	_ = json.Unmarshal(text, &s)
	return s.Checkpoint.Seq
}

func TestSimulatedTrafficOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	program, folder := build(t), t.TempDir()
	output, checkpoint := filepath.Join(folder, "visits.jsonl"), filepath.Join(folder, "checkpoint")
	for range 3 {
		before := handled(checkpoint)
		p := start(t, program, nil, "-o", output, "-checkpoint", checkpoint)
		p.waitFor(t, "new checkpoint", func() bool { return handled(checkpoint) > before })
		p.kill(t)
	}
	_, keys := visits(t, output)
	assert.Greater(t, len(keys), 150, "it begins with a past")
	assert.Less(t, len(keys), 450, "which is the same in each process")
	slices.Sort(keys)
	assert.Len(t, slices.Compact(slices.Clone(keys)), len(keys))
}

func TestStandardOutput(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such signals")
	}
	program, checkpoint := build(t), filepath.Join(t.TempDir(), "checkpoint")
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	env := []string{"UMAMI_URL=" + srv.URL, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=" + umamitest.Token}
	for i, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		srv.Visit(umamitest.Visit{URLPath: fmt.Sprint("/", i)})
		before := handled(checkpoint)
		p := start(t, program, env, "-checkpoint", checkpoint)
		p.waitFor(t, "new checkpoint", func() bool { return handled(checkpoint) > before })
		require.NoError(t, p.Process.Signal(signal))
		<-p.ended
		assert.Zero(t, p.ProcessState.ExitCode())
		assert.Equal(t, 1, strings.Count(p.stdout.String(), "\n"), "each visit once")
		assert.Contains(t, p.stdout.String(), `{"type":"pageview","key":"`)
		assert.Contains(t, p.stdout.String(), fmt.Sprintf(`"urlPath":"/%d"`, i))
		assert.Empty(t, p.stderr.String())
	}
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	program, output := build(t), filepath.Join(t.TempDir(), "visits.jsonl")
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	env := []string{"UMAMI_URL=" + srv.URL, "UMAMI_WEBSITE_ID=" + srv.WebsiteID, "UMAMI_TOKEN=" + umamitest.Token}
	srv.Fail(3, umamitest.Page(502)) // at the start, too
	srv.Visit(umamitest.Visit{})
	p := start(t, program, env, "-o", output)
	p.waitFor(t, "line", func() bool { return size(output) > 0 })

	// Nobody else gets the file.
	second := start(t, program, env, "-o", output, "-checkpoint", output+".checkpoint")
	<-second.ended
	assert.Equal(t, 1, second.ProcessState.ExitCode())
	assert.Equal(t, "watch: "+output+": another watch is using it\n", second.stderr.String())

	srv.ExpireTokens()
	<-p.ended // it cannot heal
	assert.Equal(t, 1, p.ProcessState.ExitCode())
	told := strings.Split(p.stderr.String(), "\n")
	require.Len(t, told, 4, "%q", told)
	assert.Regexp(t, `^watch: umami: poll: .*502 Bad Gateway.*; trying again$`, told[0])
	assert.Equal(t, "watch: the server answers again", told[1])
	assert.Regexp(t, `^watch: umami: poll: .*401 .*; check UMAMI_TOKEN and UMAMI_WEBSITE_ID$`, told[2])
}

// Without UMAMI_WEBSITE_ID it takes the only website, and of two neither.
func TestWebsite(t *testing.T) {
	t.Parallel()
	program, output := build(t), filepath.Join(t.TempDir(), "visits.jsonl")
	srv := umamitest.NewServer()
	t.Cleanup(srv.Close)
	srv.Visit(umamitest.Visit{})
	p := start(t, program, []string{"UMAMI_URL=" + srv.URL, "UMAMI_TOKEN=" + umamitest.Token}, "-o", output)
	p.waitFor(t, "line", func() bool { return size(output) > 0 })
	p.kill(t)

	two := umamitest.NewServer(umamitest.WithWebsites(umamitest.Website{ID: "86d4095c-a2a8-4fc8-9521-103e858e2b41"}))
	t.Cleanup(two.Close)
	p = start(t, program, []string{"UMAMI_URL=" + two.URL, "UMAMI_TOKEN=" + umamitest.Token})
	<-p.ended
	assert.Equal(t, 1, p.ProcessState.ExitCode())
	assert.Equal(t, 3, strings.Count(p.stderr.String(), "\n"))
	assert.Contains(t, p.stderr.String(), "\n86d4095c-a2a8-4fc8-9521-103e858e2b41")
	assert.Contains(t, p.stderr.String(), "\nwatch: UMAMI_WEBSITE_ID is not set: ")
}
