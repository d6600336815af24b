package redact_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/redact"
)

func TestOf(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequest(http.MethodGet, "http://umami.test/api/me?page=1&key=of-the-query", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer of-the-header==")
	req.Header.Set("Cookie", "sid=of-the-cookie; theme=dark")
	req.Header.Set("User-Agent", "umami-go/1")
	asked := *req.URL
	asked.RawQuery = "page=1"
	assert.ElementsMatch(t, redact.Secrets{
		"Bearer", "of-the-header==", "Bearer", "of-the-header",
		"sid=of-the-cookie;", "theme=dark", "sid", "of-the-cookie", "theme", "dark",
		"of-the-query",
	}, redact.Of(req, &asked))
	assert.NotContains(t, redact.Of(req, req.URL), "of-the-query", "it was asked for")
}

func TestHide(t *testing.T) {
	t.Parallel()
	secrets := redact.Secrets{"s3cret/~key=", "short", "alice1234", "alice1234:andmore", "short"}
	for text, want := range map[string]string{
		"nothing":                                      "nothing",
		"short is everywhere":                          "short is everywhere",
		"as s3cret/~key= it is":                        "as ************ it is",
		"twice s3cret/~key=s3cret/~key=":               "twice ************************",
		"of a URL: " + url.QueryEscape("s3cret/~key="): "of a URL: ****************",
		"of a path: s3cret%2F~key=":                    "of a path: **************",
		"of a pointer: /s3cret~1~0key=/0":              "of a pointer: /**************/0",
		"cut off: s3cret/~k":                           "cut off: *********",
		"cut off: s3cr":                                "cut off: ****",
		"a longer one: alice1234:andmore.":             "a longer one: *****************.",
		"cut off: s3c":                                 "cut off: s3c",
	} {
		assert.Equal(t, want, secrets.HideIn(text))
	}
}
