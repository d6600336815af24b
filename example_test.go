package umami_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed721439b2/umami-go"
)

const websiteID = "550e8400-e29b-41d4-a716-446655440000"

// newServer stands in for an Umami server with one website and one visitor.
func newServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/auth/login", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"token":"of-the-login"}`)
	})
	mux.HandleFunc("GET /api/share/aBcDeFgH", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"token":"of-the-share"}`)
	})
	mux.HandleFunc("GET /api/realtime/"+websiteID, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && r.Header.Get("X-Umami-Share-Token") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{
			"urls": {"/": 1, "/pricing": 1}, "countries": {"DE": 1}, "referrers": {"duckduckgo.com": 1},
			"events": [
				{"__type": "event", "sessionId": "s1", "eventName": "signup", "createdAt": "2026-11-22T08:50:07.000Z",
					"urlPath": "/pricing", "country": "DE", "browser": "firefox", "os": "Linux", "device": "desktop"},
				{"__type": "pageview", "sessionId": "s1", "createdAt": "2026-11-22T08:49:53.000Z", "referrerDomain": "duckduckgo.com",
					"urlPath": "/", "country": "DE", "browser": "firefox", "os": "Linux", "device": "desktop"}
			],
			"series": {"views": [{"x": "2026-11-22T08:49:00Z", "y": 1}], "visitors": [{"x": "2026-11-22T08:49:00Z", "y": 1}]},
			"totals": {"views": 1, "visitors": 1, "events": 1, "countries": 1},
			"timestamp": 1795337488224
		}`)
	})
	return httptest.NewServer(mux)
}

func Example() {
	srv := newServer()
	defer srv.Close()

	client, err := umami.NewClient(srv.URL, umami.APIKey("your-api-key"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rt.Visitors, "visitor,", rt.Totals.Views, "page view")
	// Output: 1 visitor, 1 page view
}

func ExampleNewClient() {
	client, err := umami.NewClient("https://umami.example.com", umami.BearerToken("your-token"),
		umami.WithTimeout(5*time.Second),
		umami.WithRetry(umami.RetryPolicy{Max: 5, MaxWait: 10 * time.Second}),
		umami.WithRateLimit(10, time.Second),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client)
	// Output: umami.Client(https://umami.example.com/api)
}

func ExampleAPIKey() {
	auth := umami.APIKey("your-api-key")
	cloud, err := umami.NewClient(umami.CloudURL, auth)
	fmt.Println(cloud, err)

	// Self-hosted servers take keys since 3.4.
	selfHosted, err := umami.NewClient("https://umami.example.com", auth)
	fmt.Println(selfHosted, err)

	// No key is ever printed.
	fmt.Println(auth)
	// Output:
	// umami.Client(https://api.umami.is/v1) <nil>
	// umami.Client(https://umami.example.com/api) <nil>
	// APIKey(REDACTED)
}

func ExampleBearerToken() {
	srv := newServer()
	defer srv.Close()

	client, err := umami.NewClient(srv.URL, umami.BearerToken("your-token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rt.Countries)
	// Output: map[DE:1]
}

func ExampleLogin() {
	srv := newServer()
	defer srv.Close()

	// It logs in at the first call, and again when the token has expired.
	client, err := umami.NewClient(srv.URL, umami.Login("admin", "your-password"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rt.Countries)
	// Output: map[DE:1]
}

func ExampleShareLink() {
	srv := newServer()
	defer srv.Close()

	// Of https://umami.example.com/share/aBcDeFgH.
	client, err := umami.NewClient(srv.URL, umami.ShareLink("aBcDeFgH"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rt.Referrers)
	// Output: map[duckduckgo.com:1]
}

func ExampleBearerTokenFunc() {
	srv := newServer()
	defer srv.Close()

	// Asked for each call, and once more when the server refuses the token.
	fetch := func(context.Context) (string, error) {
		return "token-of-the-hour", nil // from a vault, for example
	}
	client, err := umami.NewClient(srv.URL, umami.BearerTokenFunc(fetch))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(rt.Sessions), "session")
	// Output: 1 session
}

func ExampleClient_GetRealtime() {
	srv := newServer()
	defer srv.Close()

	client, err := umami.NewClient(srv.URL, umami.BearerToken("your-token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, &umami.RealtimeOptions{
		Timezone: "Europe/Berlin",
		Filters:  umami.Filters{Country: "DE"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range rt.Pageviews {
		fmt.Println(p.CreatedAt.Format(time.TimeOnly), p.Country, p.URLPath)
	}
	for _, e := range rt.Events {
		fmt.Println(e.CreatedAt.Format(time.TimeOnly), e.Country, e.EventName)
	}
	// Output:
	// 08:49:53 DE /
	// 08:50:07 DE signup
}

func ExampleAPIError() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`)
	}))
	defer srv.Close()

	client, err := umami.NewClient(srv.URL, umami.BearerToken("an-old-token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.GetRealtime(context.Background(), websiteID, nil)
	if errors.Is(err, umami.ErrUnauthorized) {
		fmt.Println("a new token is due, or this website is another's")
	}
	if apiErr, ok := errors.AsType[*umami.APIError](err); ok {
		fmt.Println(apiErr.StatusCode, apiErr.Code)
	}
	// Output:
	// a new token is due, or this website is another's
	// 401 unauthorized
}
