package umamitest_test

import (
	"context"
	"fmt"

	"github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func Example() {
	srv := umamitest.NewServer()
	defer srv.Close()
	visit := srv.Visit(umamitest.Visit{URLPath: "/pricing", Country: "PL"})
	srv.Event("signup", umamitest.Visit{SessionID: visit.SessionID, URLPath: "/pricing"})

	ctx := context.Background()
	rt, err := srv.Client().GetRealtime(ctx, srv.WebsiteID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(rt.Pageviews), "page view of", rt.Pageviews[0].URLPath)
	fmt.Println(len(rt.Events), "event:", rt.Events[0].EventName)

	// A token that ended is replaced by a client that can log in.
	client, err := umami.NewClient(srv.URL, umami.Login(umamitest.Username, umamitest.Password))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		rt, err = client.GetRealtime(ctx, srv.WebsiteID, nil)
		fmt.Println(len(rt.Sessions), "session,", err)
		srv.ExpireTokens()
	}
	// Output:
	// 1 page view of /pricing
	// 1 event: signup
	// 1 session, <nil>
	// 1 session, <nil>
}

func ExampleServer_Fail() {
	srv := umamitest.NewServer(umamitest.InProcess())
	srv.Fail(1, umamitest.Status(403, "forbidden by the proxy"))

	_, err := srv.Client().GetRealtime(context.Background(), srv.WebsiteID, nil)
	fmt.Println(err)
	for _, r := range srv.Requests() {
		fmt.Println(r.Method, r.Status)
	}
	// Output:
	// umami: get realtime: GET /api/realtime/0fd211ef-6f1f-41f4-8e6e-f2f0570bfbd1: 403 Forbidden: "forbidden by the proxy": the server, or a proxy in front of it, does not let this caller in
	// GET 403
}
