// Package umami reads the live traffic of websites measured by Umami, the
// open-source web analytics server, self-hosted or in Umami Cloud. It speaks to
// every server since 2.0 and returns one typed model, whatever the version.
//
// # First call
//
// A [Client] belongs to one server. [Client.GetRealtime] returns what a
// website's visitors did in the last 30 minutes:
//
//	client, err := umami.NewClient(umami.CloudURL, umami.APIKey(key))
//	if err != nil {
//		return err
//	}
//	rt, err := client.GetRealtime(ctx, websiteID, nil)
//	if err != nil {
//		return err
//	}
//	fmt.Println(rt.Visitors, "visitors,", rt.Totals.Views, "page views")
//
// Servers since 2.13 show at most 100 rows: if rt.Truncated, Visitors and the
// lists cover only the rows shown, while Totals.Views and Series count everything.
//
// The package reads both shapes that Umami documents, that of self-hosted servers
// and that of Umami Cloud, and what servers really send, which matches neither
// exactly.
//
// # Credentials
//
// [APIKey] is for Umami Cloud and for self-hosted servers since 3.4; [Login],
// [BearerToken] and [BearerTokenFunc] are for self-hosted servers; [ShareLink]
// reads one website through its share link. An [Auth] of your own can do anything
// else. Credentials are kept out of output, logs and errors.
//
// # Errors
//
// A response that is not 2xx is an [*APIError]; it matches [ErrUnauthorized],
// [ErrNotFound] and the other sentinels by its status. A 2xx that is not a realtime
// reply is a [*DecodeError]. Bad input is [ErrInvalidArgument], and nothing is sent:
//
//	switch e, ok := errors.AsType[*umami.APIError](err); {
//	case errors.Is(err, umami.ErrUnauthorized):
//		// wrong or expired credential, or a website that is not yours
//	case ok:
//		log.Printf("%d %q", e.StatusCode, e.Message)
//	}
//
// GETs that meet a transport error, a 429 or a status of 500 and above are retried
// up to 3 times, with growing, random waits ([RetryPolicy]). Calls to Umami Cloud
// are limited to its 50 in 15 seconds ([WithRateLimit]).
//
// # Polling
//
// The server keeps no cursor, and since 2.13 it shows at most 100 rows, without
// ids. A [Poller] turns its replies into a stream of [Diff] values: every visit (a
// page view or a custom event) once, in order, with gaps filled or reported, and
// resumable after a restart:
//
//	poller, err := client.NewPoller(websiteID, nil)
//	if err != nil {
//		return err
//	}
//	for diff, err := range poller.All(ctx) {
//		if err != nil {
//			return err
//		}
//		for _, v := range diff.Pageviews {
//			fmt.Println(v.CreatedAt, v.URLPath)
//		}
//	}
//
// # Around realtime
//
// [Client.ListEvents] lists all rows of a range, and [Client.ListWebsites] the
// websites. [Client.GetActiveVisitors] counts the visitors of the last 5 minutes,
// [Realtime.VisitorsByURL] those on each page. [Client.Ping] checks server and
// credential.
//
// # Testing
//
// Package [github.com/seed721439b2/umami-go/umamitest] is a fake Umami server for
// your tests: made-up traffic, faults, and the behaviour of each server version.
package umami
