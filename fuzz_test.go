package umami_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// A base URL is refused without a word of it, or it is one whose server gets the
// requests: below it, with no user and no query of its own. The root that a
// client shows is a base URL of the same client.
func FuzzBaseURL(f *testing.F) {
	for _, base := range []string{
		umami.CloudURL, umami.CloudURL + "/eu", "https://stats.example.com", "http://localhost:3000/api/", "http://[::1]:3000/stats//", "http://[fe80::1%25eth0]/",
		"https://host/a/./b/../stats", "https://host/one%2Felement/api", "https://host/日本/v1", "https://user:s3cret@host", "https://host?key=s3cret", "https://host/#s3cret",
		"http://user:s3#cret@host", "file:///etc/passwd", "//host", "https://host:0", "https://%31", "HTTP://HOST:80/API", "https://host/..;/api", "https://host/%2e%2e/api", "http://h\\ost",
		"http://0:", "http://[::%25\x80]",
	} {
		f.Add(base)
	}
	f.Fuzz(func(t *testing.T, base string) {
		var sent *url.URL
		to := umami.WithHTTPClient(&http.Client{Transport: transport(func(req *http.Request) (*http.Response, error) {
			sent = req.URL
			return reply(200, idle), nil
		})})
		c, err := umami.NewClient(base, umami.BearerToken(token), to)
		if err != nil {
			require.ErrorIs(t, err, umami.ErrInvalidArgument)
			if len(base) > 12 { // a shorter one may be a part of any message
				require.NotContains(t, err.Error(), base)
			}
			if _, after, ok := strings.Cut(base, "://"); ok {
				if user, _, ok := strings.Cut(after, "@"); ok && len(user) > 12 {
					require.NotContains(t, err.Error(), user)
				}
			}
			return
		}
		shown := strings.TrimSuffix(strings.TrimPrefix(c.String(), "umami.Client("), ")")
		again, err := umami.NewClient(shown, umami.BearerToken(token), to)
		require.NoError(t, err)
		require.Equal(t, c.String(), again.String())

		_, err = c.GetRealtime(t.Context(), site, nil)
		require.NoError(t, err, "a bad base URL is an error of NewClient")
		asked, err := url.Parse(base)
		require.NoError(t, err)
		require.Equal(t, asked.Scheme+"://"+strings.TrimSuffix(asked.Host, ":"), sent.Scheme+"://"+sent.Host)
		require.Nil(t, sent.User)
		require.Empty(t, sent.Fragment)
		require.NotEmpty(t, sent.RawQuery)
		path := sent.EscapedPath()
		require.True(t, strings.HasSuffix(path, "/realtime/"+site), path)
		require.Equal(t, shown+"/realtime/"+site, strings.TrimSuffix(sent.String(), "?"+sent.RawQuery))
		for element := range strings.SplitSeq(path, "/") {
			require.NotContains(t, []string{".", ".."}, element)
		}
	})
}

// A checkpoint is ErrCheckpoint, or can be resumed from and goes out as it came
// in. Its sum is made here: else no change would pass it.
func FuzzCheckpoint(f *testing.F) {
	type packed struct {
		Version int    `json:"version"`
		Website string `json:"website"`
		Filters string `json:"filters,omitempty"`
		Seq     uint64 `json:"seq"`
		State   []byte `json:"state"`
		Sum     uint32 `json:"sum"`
	}
	for _, file := range []string{"v2.20.2/realtime-busy.json", "v2.12.1/realtime-busy.json", "v2.10.2/realtime-slow.json", "v3.1.0-postgres/after-backdated.json"} {
		body, err := os.ReadFile(filepath.Join(recordingsDir, filepath.FromSlash(file)))
		require.NoError(f, err)
		c := newClient(f, always(200, string(body)), umami.BearerToken(token))
		p, err := c.NewPoller(site, nil)
		require.NoError(f, err)
		for d, err := range p.All(f.Context()) {
			require.NoError(f, err)
			text, err := json.Marshal(d.Checkpoint())
			require.NoError(f, err)
			var seed packed
			require.NoError(f, json.Unmarshal(text, &seed))
			f.Add(seed.Version, seed.Filters, seed.Seq, seed.State)
			break
		}
	}
	c := newClient(f, always(500, ""), umami.BearerToken(token))
	f.Fuzz(func(t *testing.T, version int, filters string, seq uint64, state []byte) {
		filters = strings.ToValidUTF8(filters, "")
		in := packed{Version: version, Website: site, Filters: filters, Seq: seq, State: state}
		in.Sum = crc32.ChecksumIEEE(fmt.Appendf(nil, "%d\n%s\n%s\n%d\n%s", version, site, filters, seq, state))
		text, err := json.Marshal(in)
		require.NoError(t, err)
		var cp umami.Checkpoint
		if err := json.Unmarshal(text, &cp); err != nil {
			require.ErrorIs(t, err, umami.ErrCheckpoint)
			return
		}
		out, err := json.Marshal(cp)
		require.NoError(t, err)
		require.Equal(t, string(text), string(out))
		_, err = c.NewPoller(site, &umami.PollerOptions{Resume: &cp})
		if filters == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, umami.ErrCheckpoint)
		}
	})
}
