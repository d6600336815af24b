package setting_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func TestServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ end, want error }{
		"a signal":               {context.Canceled, nil},
		"work that cannot go on": {errors.ErrUnsupported, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := setting.Listen(t.Context(), "127.0.0.1:0")
			require.NoError(t, err)
			asked := make(chan struct{})
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { // a stream that would not end
				close(asked)
				<-r.Context().Done()
			})
			go func() {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
				if answer, err := http.DefaultClient.Do(req); err == nil {
					answer.Body.Close()
				}
			}()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err = setting.Serve(ctx, listener, handler, func(ctx context.Context) error {
				<-asked
				if c.want == nil {
					cancel()
					<-ctx.Done()
				}
				return c.end
			})
			require.ErrorIs(t, err, c.want)
		})
	}

	listener, err := setting.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	_, err = setting.Listen(t.Context(), listener.Addr().String())
	require.ErrorContains(t, err, "; choose another address with -addr")
	require.NoError(t, listener.Close())
	err = setting.Serve(t.Context(), listener, nil, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	assert.Error(t, err, "a listener that is closed")
}

// A page elsewhere whose name was made to lead to this machine reads nothing.
func TestServeUnderAnotherName(t *testing.T) {
	t.Parallel()
	listener, err := setting.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "traffic") })
	err = setting.Serve(t.Context(), listener, handler, func(ctx context.Context) error {
		for host, want := range map[string]int{
			listener.Addr().String(): 200, "localhost": 200, "localhost:8080": 200, "[::1]:8080": 200, "[::1]": 200, "127.0.0.2": 200,
			"evil.example.com": 421, "evil.example.com:8080": 421, "localhost.example.com": 421, "": 421, "192.0.2.1": 421,
		} {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String(), nil)
			require.NoError(t, err)
			req.Host = host
			if host == "" {
				req.Host = "."
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			assert.Equal(t, want, res.StatusCode, host)
			res.Body.Close()
		}
		return context.Canceled
	})
	require.NoError(t, err)
}
