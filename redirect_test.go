package umami_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// net/http would take an API key along to another host.
func TestRedirectElsewhere(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other server was asked: %s, %v", r.URL, r.Header)
	}))
	defer other.Close()
	for name, location := range map[string]string{
		"another port":   other.URL + "/api",
		"another host":   strings.Replace(other.URL, "127.0.0.1", "localhost", 1),
		"without scheme": strings.TrimPrefix(other.URL, "http:"),
		"another scheme": strings.Replace(other.URL, "http:", "https:", 1),
	} {
		for _, auth := range auths() {
			mux, base := setup(t)
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, location, http.StatusPermanentRedirect)
			})
			c, err := umami.NewClient(base, auth)
			require.NoError(t, err)
			err = getError(t, c)
			require.ErrorIs(t, err, umami.ErrRedirectRefused, name)
			require.ErrorContains(t, err, "if that is the server, make it the base URL", name)
			assert.Equal(t, 1, strings.Count(err.Error(), "umami: "), err)
		}
	}
}

// Umami answers so where a path has a slash too many.
func TestRedirectWithinTheServer(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{recorded(t, "v3.1.0-postgres/trailing-slash.http"), always(200, idle)}}
	get(t, newClient(t, s, umami.APIKey(token)))
	assert.Equal(t, []string{"GET /api/realtime/" + site, "GET /api/realtime/" + recordedSite}, s.requests())
	for _, name := range []string{"Authorization", "X-Umami-Api-Key", "Accept", "User-Agent"} {
		assert.Equal(t, s.sent[0].header[name], s.sent[1].header[name], name)
	}
}

// net/http takes another spelling of the host for another host, and drops what
// is for the first.
func TestRedirectToTheHostInOtherLetters(t *testing.T) {
	t.Parallel()
	s := &script{steps: []transport{always(308, "", "Location", "http://UMAMI.test:80/api/moved"), always(200, idle)}}
	get(t, newClient(t, s, umami.BearerToken(token)))
	require.Len(t, s.sent, 2)
	assert.Equal(t, "http://UMAMI.test:80/api/moved", s.sent[1].url)
	assert.Equal(t, "Bearer "+token, s.sent[1].header.Get("Authorization"))
}

func TestRedirectForEver(t *testing.T) {
	t.Parallel()
	mux, base := setup(t)
	calls := 0
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/sub/api/realtime/"+site, http.StatusFound)
	})
	c, err := umami.NewClient(base, umami.BearerToken(token))
	require.NoError(t, err)
	err = getError(t, c)
	require.ErrorIs(t, err, umami.ErrRedirectRefused)
	require.ErrorContains(t, err, "10 in a row")
	assert.Equal(t, 10, calls, "and not tried again")
}
