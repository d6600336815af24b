package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// allFormats gathers the hostile visits and writes them in every format.
func allFormats(t *testing.T) (texts map[string]string) {
	t.Helper()
	texts = make(map[string]string)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(9*time.Hour + 17*time.Minute + 4*time.Second)
		srv := hostile()
		defer srv.Close()
		r, err := newGatherer(siteOf(srv), io.Discard, nil).gather(t.Context(), 0)
		require.NoError(t, err)
		for name, write := range formats {
			var text bytes.Buffer
			require.NoError(t, write(&text, r))
			texts[name] = text.String()
		}
	})
	return texts
}

var picture = regexp.MustCompile(`data:image/svg&#43;xml;base64,[A-Za-z0-9+/=&#;]+|data:image/svg\+xml;base64,[A-Za-z0-9+/=]+`)

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, text := range allFormats(t) {
		golden(t, "report."+name, picture.ReplaceAllString(text, "PICTURE")) // which the library may draw otherwise tomorrow
	}
}

func TestNothingHostileGetsThrough(t *testing.T) {
	t.Parallel()
	texts := allFormats(t)
	texts["html"] = picture.ReplaceAllString(texts["html"], "PICTURE")
	for name, text := range texts {
		for _, r := range text {
			require.True(t, r == '\n' || unicode.IsGraphic(r), "%s: %q", name, r)
		}
		assert.NotContains(t, text, "/old", name)
	}
	for _, tag := range []string{"<script", "<img src=x", "<b>", "<svg onload", "stats.example.com.Site"} {
		assert.NotContains(t, strings.ToLower(texts["html"]), tag)
	}

	table, err := csv.NewReader(strings.NewReader(texts["csv"])).ReadAll()
	require.NoError(t, err)
	for _, row := range table {
		for _, c := range row {
			assert.NotRegexp(t, "^\\s*[=+\\-@\t\r＝＋－＠]", c)
		}
	}
	for text, want := range map[string]string{
		"=1": "'=1", " =1": "' =1", "-1": "'-1", "/=1": "/=1", "": "", "\t@": "\uFFFD@", "\u200b=1": "\uFFFD=1",
		"/a;=1;b": "/a;'=1;b", `/;"=1";`: `/;'"=1";`, `"=1`: `'"=1`, "/a;b=1": "/a;b=1", ";": ";",
	} {
		assert.Equal(t, want, cell(text), "%q", text)
	}

	var read Report
	require.NoError(t, json.Unmarshal([]byte(texts["json"]), &read))
	paths := make([]string, len(read.Pages))
	for i, p := range read.Pages {
		paths[i] = p.Path
	}
	for _, v := range evil {
		assert.Contains(t, paths, v.URLPath, "JSON loses nothing")
	}
}

// The page lets nothing run or be fetched, and its policy lets its own style
// through.
func TestPage(t *testing.T) {
	t.Parallel()
	text := allFormats(t)["html"]
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)
	require.NotNil(t, style)
	sum := sha256.Sum256([]byte(style[1]))
	text = html.UnescapeString(text)
	pictures := regexp.MustCompile(`base64,([A-Za-z0-9+/=]+)`).FindAllStringSubmatch(text, -1)
	text = picture.ReplaceAllString(text, "PICTURE")
	assert.Contains(t, text, `content="default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-`+
		base64.StdEncoding.EncodeToString(sum[:])+`'"`)
	assert.NotContains(t, text, "style=")
	assert.False(t, regexp.MustCompile(`(src|href|srcset|action)="?(http|//)`).MatchString(text))

	require.Len(t, pictures, 4, "wide and narrow, light and dark")
	for _, p := range pictures {
		svg, err := base64.StdEncoding.DecodeString(p[1])
		require.NoError(t, err)
		shapes := elements(t, svg)
		assert.Equal(t, 1, shapes["svg"])
		assert.Greater(t, shapes["path"], 10, "five minutes with page views and events, and axes")
		assert.Contains(t, string(svg), ">09:00</text>")
		assert.NotContains(t, string(svg), "<script")
	}
}

func elements(t *testing.T, text []byte) map[string]int {
	t.Helper()
	found := make(map[string]int)
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			found[e.Name.Local]++
		}
	}
}

// Every report can be written, however little is in it or however long it is.
func TestExtremes(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)
	full := newTally(noon)
	for i := range 24 * 60 {
		at := noon.Add(time.Duration(i) * time.Minute)
		full.add(umami.Diff{Time: at, Pageviews: []umami.Pageview{{CreatedAt: at, URLPath: strings.Repeat("/long", i)}}})
	}
	for name, r := range map[string]*Report{
		"a moment":  newTally(noon).report(noon),
		"idle":      newTally(noon).report(noon.Add(30 * time.Minute)),
		"long":      full.report(noon.Add(24 * time.Hour)),
		"backwards": newTally(noon).report(noon.Add(-time.Second)), // a clock that was set back
		"gaps": {
			From: noon, To: noon, Minutes: []Minute{{Time: noon}}, FailedPolls: 3, Ended: "no\x1bway",
			Gaps: []umami.Gap{{From: noon, To: noon, Reason: umami.GapOutage, Missed: -1}, {From: noon, To: noon, Reason: umami.GapTruncated, Missed: 7}},
		},
	} {
		for format, write := range formats {
			var text bytes.Buffer
			require.NoError(t, write(&text, r), "%s %s", name, format)
			if name == "gaps" && format != "json" {
				assert.Contains(t, text.String(), "no\uFFFDway")
				assert.Contains(t, text.String(), "7")
			}
			if name == "long" && format == "text" {
				assert.Contains(t, text.String(), "Page views by 30 minutes, 30 at most")
				assert.Contains(t, text.String(), "(24h)")
			}
		}
	}
}

// What a server sent, in two of its shapes, counted by hand.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]Report{
		"v3.1.0-postgres/hostile-referrers.json": {
			Pageviews: 9, Events: 1, Sessions: 2,
			Countries: []Count{{"NZ", 2}},
		},
		"v3.1.0-postgres-dbtz-tokyo/realtime.json": {
			Pageviews: 11, Events: 3, Sessions: 9,
			Countries: []Count{{"", 2}, {"US", 2}, {"BR", 1}, {"ES", 1}, {"IN", 1}, {"KR", 1}, {"XX", 1}},
		},
	} {
		body := readFile(t, "../../testdata/recordings/"+file)
		client, err := umami.NewClient("http://umami.test", umami.BearerToken("t"), umami.WithHTTPClient(clientOf(recorded(body))))
		require.NoError(t, err)
		site := siteOf(umamitest.NewServer(umamitest.InProcess()))
		site.Client = client
		r, err := newGatherer(site, io.Discard, nil).gather(t.Context(), 0)
		require.NoError(t, err)
		assert.Equal(t, want, Report{Pageviews: r.Pageviews, Events: r.Events, Sessions: r.Sessions, Countries: r.Countries}, file)
		assert.Empty(t, r.Gaps)
	}
}
