// Command quickstart prints who is on a website now. It reads the server at
// UMAMI_URL (website UMAMI_WEBSITE_ID, key UMAMI_API_KEY), or a fake one with
// made-up traffic where that is not set.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func main() {
	baseURL, websiteID := os.Getenv("UMAMI_URL"), os.Getenv("UMAMI_WEBSITE_ID")
	auth := umami.APIKey(os.Getenv("UMAMI_API_KEY"))
	if baseURL == "" {
		fmt.Println("simulated traffic")
		server := umamitest.NewServer(umamitest.WithTraffic(umamitest.Traffic{}))
		defer server.Close()
		baseURL, websiteID, auth = server.URL, server.WebsiteID, umami.BearerToken(umamitest.Token)
	}

	client, err := umami.NewClient(baseURL, auth)
	if err != nil {
		log.Fatal(err)
	}
	rt, err := client.GetRealtime(context.Background(), websiteID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rt.Visitors, "visitors and", rt.Totals.Views, "page views in the last 30 minutes")
	for _, v := range rt.Pageviews[:min(5, len(rt.Pageviews))] {
		fmt.Printf("%s  %q  %q\n", v.CreatedAt.Format("15:04:05"), v.Country, v.URLPath)
	}
}
