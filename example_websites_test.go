package umami_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func ExampleClient_ListEvents() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	server.Visit(umamitest.Visit{URLPath: "/pricing", Country: "PL", CreatedAt: noon.Add(-2 * time.Hour)})
	server.Event("signup", umamitest.Visit{URLPath: "/pricing", Country: "PL", CreatedAt: noon.Add(-time.Hour)})

	client := server.Client() // or umami.NewClient
	for e, err := range client.ListEvents(context.Background(), server.WebsiteID, &umami.EventsOptions{
		StartAt: noon.AddDate(0, 0, -1), EndAt: noon, Filters: umami.Filters{Country: "PL"},
	}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.CreatedAt.Format(time.TimeOnly), e.URLPath, e.EventName)
	}
	// Output:
	// 11:00:00 /pricing signup
	// 10:00:00 /pricing
}

func ExampleClient_ListWebsites() {
	server := umamitest.NewServer(umamitest.InProcess(), umamitest.WithWebsites(umamitest.Website{ // in place of a real one
		ID: "86d4095c-a2a8-4fc8-9521-103e858e2b41", Name: "Shop", Domain: "shop.example.com", TeamID: "550e8400-e29b-41d4-a716-446655440000",
	}))

	client := server.Client() // or umami.NewClient
	for w, err := range client.ListWebsites(context.Background(), &umami.WebsitesOptions{IncludeTeams: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(w.ID, w.Name, w.Domain)
	}
	// Output:
	// 0fd211ef-6f1f-41f4-8e6e-f2f0570bfbd1 lab main main.example.com
	// 86d4095c-a2a8-4fc8-9521-103e858e2b41 Shop shop.example.com
}

func ExampleClient_GetWebsite() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one

	client := server.Client() // or umami.NewClient
	for _, id := range []string{server.WebsiteID, "86d4095c-a2a8-4fc8-9521-103e858e2b41"} {
		w, err := client.GetWebsite(context.Background(), id)
		switch {
		case errors.Is(err, umami.ErrNotFound):
			fmt.Println("no such website")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(w.Name, "measures", w.Domain)
		}
	}
	// Output:
	// lab main measures main.example.com
	// no such website
}

func ExampleClient_GetActiveVisitors() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	server.Visit(umamitest.Visit{})
	server.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-4 * time.Minute)})
	server.Visit(umamitest.Visit{CreatedAt: time.Now().Add(-6 * time.Minute)})

	client := server.Client() // or umami.NewClient
	n, err := client.GetActiveVisitors(context.Background(), server.WebsiteID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n, "visitors in the last 5 minutes")
	// Output: 2 visitors in the last 5 minutes
}

func ExampleClient_Ping() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one

	fmt.Println(server.Client().Ping(context.Background()))

	client, err := umami.NewClient(server.URL, umami.BearerToken("an-old-token"), umami.WithHTTPClient(server.HTTPClient()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Ping(context.Background()))
	// Output:
	// <nil>
	// umami: ping: the server refuses the credential: GET /api/me: 401 Unauthorized: the credential is wrong or has expired
}

func ExampleRealtime_VisitorsByURL() {
	server := umamitest.NewServer(umamitest.InProcess()) // in place of a real one
	reader := server.Visit(umamitest.Visit{URLPath: "/", CreatedAt: time.Now().Add(-2 * time.Minute)})
	server.Visit(umamitest.Visit{URLPath: "/pricing", SessionID: reader.SessionID})
	server.Visit(umamitest.Visit{URLPath: "/pricing"})

	client := server.Client() // or umami.NewClient
	rt, err := client.GetRealtime(context.Background(), server.WebsiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rt.URLs, "page views")
	fmt.Println(rt.VisitorsByURL(), "visitors, each where the latest page view was")
	// Output:
	// map[/:1 /pricing:2] page views
	// map[/pricing:2] visitors, each where the latest page view was
}
