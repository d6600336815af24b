package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests below look at the page in a real browser, which they share. They are
// skipped where there is none, unless UMAMI_BROWSER=required.
var (
	allocator, endBrowser = chromedp.NewExecAllocator(context.Background(), browserOptions()...)
	browser               = sync.OnceValues(func() (context.Context, error) {
		ctx, _ := chromedp.NewContext(allocator) // which ends with the allocator
		closeBrowser = func() { _ = chromedp.Cancel(ctx) }
		return ctx, chromedp.Do(ctx)
	})
	closeBrowser = func() {} // there is none yet
)

func TestMain(m *testing.M) {
	status := m.Run()
	closeBrowser()
	endBrowser()
	os.Exit(status)
}

func browserOptions() []chromedp.ExecAllocatorOption {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	return options
}

// chromium is the browser's program; "" for none.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// tab is a tab of the browser.
type tab struct {
	context.Context

	mu       sync.Mutex
	problems []string // errors, and what the Content-Security-Policy stopped
}

func newTab(t *testing.T) *tab {
	t.Helper()
	if chromium() == "" {
		require.NotEqual(t, "required", os.Getenv("UMAMI_BROWSER"), "no chromium on PATH")
		t.Skip("no chromium on PATH: the page is not tried in a browser")
	}
	all, err := browser()
	require.NoError(t, err)
	p := new(tab)
	ctx, leave := chromedp.NewContext(all, chromedp.WithListener(func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source != log.EntrySourceNetwork { // such as a server that is down
				p.problem(string(e.Entry.Source) + ": " + e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			p.problem(e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.problem("console." + string(e.Type))
		}
	}))
	t.Cleanup(leave)
	ctx, stop := context.WithTimeout(ctx, time.Minute) // for a page that does nothing
	t.Cleanup(stop)
	p.Context = ctx
	return p
}

func (p *tab) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// clean says that nothing went wrong in the tab.
func (p *tab) clean(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(t, p.problems)
}

func (p *tab) open(t *testing.T, url string) {
	t.Helper()
	require.NoError(t, chromedp.Do(p, chromedp.Navigate(url)))
}

func evaluate[T any](t *testing.T, p *tab, script string) T {
	t.Helper()
	value, err := chromedp.Run(p, chromedp.Evaluate[T](script))
	require.NoError(t, err, script)
	return value
}

// wait waits until a condition is true of the page.
func (p *tab) wait(t *testing.T, condition string) {
	t.Helper()
	script := `new Promise((met) => {
		const check = () => (` + condition + `) && met(true);
		new MutationObserver(check).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		check();
	})`
	require.NoError(t, chromedp.Do(p, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise)), condition)
}

// picture keeps what the tab shows, with go test -artifacts.
func (p *tab) picture(t *testing.T, name string) {
	t.Helper()
	picture, err := chromedp.Run(p, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), picture, 0o600))
}
