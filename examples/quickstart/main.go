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
		fmt.Println("simulated traffic, as UMAMI_URL is not set")
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
	least := ""
	if rt.Truncated { // a busy site: not all rows are shown
		least = "at least "
	}
	fmt.Printf("%s%d visitors and %d page views in the last 30 minutes\n", least, rt.Visitors, rt.Totals.Views)
	for _, v := range rt.Pageviews[:min(5, len(rt.Pageviews))] {
		fmt.Printf("%s  %q  %q\n", v.CreatedAt.Format("15:04:05"), v.Country, v.URLPath)
	}
}
