package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
	"github.com/seed721439b2/umami-go/umamitest"
)

// listen is a dashboard's listener; addr may be that of one before.
func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	require.NoError(t, err)
	return listener
}

// dashboardOf serves the traffic of a fake server, and gives the page's address.
func dashboardOf(t *testing.T, srv *umamitest.Server) string {
	t.Helper()
	listener := listen(t, "127.0.0.1:0")
	start(t, siteOf(srv, 50*time.Millisecond), listener)
	return "http://" + listener.Addr().String() + "/"
}

func text(id string) string { return `document.getElementById("` + id + `").textContent` }

func TestNumbersChangeWithoutAReload(t *testing.T) {
	t.Parallel()
	p := newTab(t)
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Visit(umamitest.Visit{URLPath: "/first", Country: "PL", ReferrerDomain: "bing.com"})
	p.open(t, dashboardOf(t, srv))
	p.wait(t, text("status")+` === "Live" && `+text("now")+` === "1"`)
	assert.Equal(t, "main.example.com", evaluate[string](t, p, `document.querySelector("h1").textContent`))
	evaluate[bool](t, p, `window.before = true`)

	srv.Visit(umamitest.Visit{URLPath: "/second", Country: "PL"})
	srv.Event("buy", umamitest.Visit{URLPath: "/second"})
	p.wait(t, text("now")+` === "3" && `+text("pageviews")+` === "2" && `+text("visitors")+` === "3" && `+text("events")+` === "1"`)
	assert.True(t, evaluate[bool](t, p, `window.before`), "the page is the same")
	assert.Equal(t, []string{"/first", "/second"}, evaluate[[]string](t, p, `Array.from(document.querySelectorAll("#pages .text"), (e) => e.textContent)`))
	assert.Equal(t, []string{"buy", "", ""}, evaluate[[]string](t, p, `Array.from(document.querySelectorAll("#latest .event"), (e) => e.textContent)`))
	assert.Equal(t, []string{"Poland", "Unknown"}, evaluate[[]string](t, p, `Array.from(document.querySelectorAll("#countries .text"), (e) => e.textContent)`))
	assert.Contains(t, evaluate[string](t, p, text("chart-text")), "Most: 2, at ")
	assert.Equal(t, 30, evaluate[int](t, p, `document.querySelectorAll("#chart rect").length`))
	p.clean(t)
}

func TestMarkupStaysText(t *testing.T) {
	t.Parallel()
	p := newTab(t)
	const path = `/<img src=x onerror="window.ran=1"><script>window.ran=2</script>`
	const title = `</span><svg onload="window.ran=3"><b>&amp;`
	// Of 2.9, which shows titles in its replies.
	srv := umamitest.NewServer(umamitest.InProcess(), umamitest.WithProfile(umamitest.V2_9))
	srv.Visit(umamitest.Visit{URLPath: path, PageTitle: title, ReferrerDomain: "<i>r</i>", Country: "<b", Browser: "<u>b"})
	p.open(t, dashboardOf(t, srv))
	p.wait(t, `document.querySelector("#latest .path")`)
	for selector, want := range map[string]string{
		"#latest .path": path, "#pages .text": path, "#latest .title": title, "#referrers .text": "<i>r</i>", "#countries .text": "<b",
	} {
		assert.Equal(t, want, evaluate[string](t, p, `document.querySelector("`+selector+`").textContent`), selector)
	}
	assert.Zero(t, evaluate[int](t, p, `document.querySelectorAll("main :is(img, script, b, i, u, table svg)").length`))
	assert.True(t, evaluate[bool](t, p, `window.ran === undefined`))
	p.clean(t)
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	p := newTab(t)
	srv := umamitest.NewServer(umamitest.InProcess())
	site := siteOf(srv, 50*time.Millisecond)
	srv.Visit(umamitest.Visit{})
	listener := listen(t, "127.0.0.1:0")
	stop := start(t, site, listener)
	require.NoError(t, chromedp.Do(p, chromedp.EmulateViewport(390, 844)))
	p.open(t, "http://"+listener.Addr().String()+"/")
	p.wait(t, text("status")+` === "Live" && `+text("now")+` === "1"`)

	stop()
	p.wait(t, text("status")+`.startsWith("Not live: connection lost at ")`)
	assert.Equal(t, "1", evaluate[string](t, p, text("now")), "what is known stays")
	p.picture(t, "lost")
	srv.Visit(umamitest.Visit{})
	start(t, site, listen(t, listener.Addr().String()))
	p.wait(t, text("status")+` === "Live" && `+text("now")+` === "2"`)

	// Umami may be down, too.
	srv.Fail(1, umamitest.Page(502))
	p.wait(t, text("status")+`.startsWith("Not live: Umami cannot be read since ")`)
	srv.Visit(umamitest.Visit{})
	p.wait(t, text("status")+` === "Live" && `+text("now")+` === "3"`)
	p.clean(t)
}

// contrasts are the elements with text of their own whose ratio, by WCAG 2, is
// below 4.5, and the chart's columns (which hold their title) below 3.
const contrasts = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const luminance = (colour) => {
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		const share = e.parentElement?.querySelector(":scope > .share");
		const own = getComputedStyle(e === share ? e : share ?? e).backgroundColor;
		return own !== "rgba(0, 0, 0, 0)" || !e.parentElement ? own : behind(e.parentElement);
	};
	return Array.from(document.querySelectorAll("body *")).filter((e) => Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim())).flatMap((e) => {
		const style = getComputedStyle(e);
		const [a, b] = [luminance(e instanceof SVGElement ? style.fill : style.color), luminance(behind(e))].sort((a, b) => b - a);
		const ratio = (a + 0.05) / (b + 0.05);
		return ratio < (e.tagName === "title" ? 3 : 4.5) ? [e.tagName + "." + (e.getAttribute("class") ?? "") + " " + ratio.toFixed(2)] : [];
	});
})()`

// TestCanBeRead looks at the page in each colour scheme and on each kind of screen.
func TestCanBeRead(t *testing.T) {
	t.Parallel()
	p := newTab(t)
	site, err := setting.Read(func(string) string { return "" })
	require.NoError(t, err)
	t.Cleanup(site.Close)
	listener := listen(t, "127.0.0.1:0")
	start(t, site, listener)
	p.open(t, "http://"+listener.Addr().String()+"/")
	p.wait(t, text("status")+` === "Live" && document.querySelectorAll("#latest tbody tr").length > 9`)
	for _, scheme := range []string{"light", "dark"} {
		for name, size := range map[string][2]int64{"phone": {390, 844}, "desktop": {1280, 900}, "narrow": {320, 640}} {
			require.NoError(t, chromedp.Do(p, chromedp.EmulateViewport(size[0], size[1])))
			_, err := chromedp.Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			require.NoError(t, err)
			evaluate[bool](t, p, `dispatchEvent(new Event("resize"))`) // at once, and not with the next frame
			assert.Empty(t, evaluate[[]string](t, p, contrasts), "%s %s", scheme, name)
			assert.Equal(t, size[0], evaluate[int64](t, p, `document.documentElement.scrollWidth`), "%s %s: nothing stands out", scheme, name)
			p.picture(t, name+"-"+scheme)
		}
	}
	assert.Equal(t, "simulated traffic", evaluate[string](t, p, `document.querySelector(".tag").textContent`))

	// What a screen reader goes by.
	assert.Equal(t, 1, evaluate[int](t, p, `document.querySelectorAll("h1").length`))
	for what, selector := range map[string]string{
		"a table without a caption": "table:not(:has(> caption))",
		"a column without a name":   "thead :not(tr, th[scope=col])",
		"a section without a name":  "section:not([aria-labelledby])", "text outside of landmarks": "body > :not(header, main)",
		"a chart without a text": "svg:not([role=img][aria-labelledby])",
	} {
		assert.Zero(t, evaluate[int](t, p, `document.querySelectorAll("`+selector+`").length`), what)
	}
	assert.True(t, evaluate[bool](t, p, `Array.from(document.querySelectorAll("[aria-labelledby]")).every((e) => document.getElementById(e.getAttribute("aria-labelledby")).textContent.trim())`))
	p.clean(t)
}

// TestViolationsAreSeen shows that the other tests would notice one.
func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()
	p := newTab(t)
	p.open(t, dashboardOf(t, umamitest.NewServer(umamitest.InProcess())))
	p.clean(t)
	evaluate[bool](t, p, `document.addEventListener("securitypolicyviolation", (e) => document.body.dataset.broke = e.effectiveDirective),
		document.head.append(Object.assign(document.createElement("style"), {textContent: "p { color: red }"})), true`)
	p.wait(t, `document.body.dataset.broke`)
	assert.Equal(t, "style-src-elem", evaluate[string](t, p, `document.body.dataset.broke`))
	assert.Equal(t, "markup is refused", evaluate[string](t, p, `(() => { try { document.body.innerHTML = "x"; return "" } catch { return "markup is refused" } })()`))
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Contains(t, strings.Join(p.problems, "\n"), "Content Security Policy")
}
