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
// It serves the shapes of both of Umami's documents of the endpoint, that of the
// self-hosted API and that of Umami Cloud's, and what the servers really send,
// which is not quite either.
//
// # Credentials
//
// [APIKey] is for Umami Cloud and for self-hosted servers since 3.4; [Login],
// [BearerToken] and [BearerTokenFunc] are for self-hosted servers; [ShareLink]
// reads one website of which only a share link is known. An [Auth] of your own
// may do anything else. No secret is ever printed, logged or part of an error.
//
// # Errors
//
// An answer that is not a success is an [*APIError]; it matches [ErrUnauthorized],
// [ErrNotFound] and the like by its status. A success that is not a realtime
// reply is a [*DecodeError], and bad input is [ErrInvalidArgument] before
// anything is sent:
//
//	switch e, ok := errors.AsType[*umami.APIError](err); {
//	case errors.Is(err, umami.ErrUnauthorized):
//		// wrong or expired credential, or a website that is not yours
//	case ok:
//		log.Printf("%d %q", e.StatusCode, e.Message)
//	}
//
// GETs that meet a transport error, a 429 or a status of 500 and above are
// tried again up to 3 times, with growing and random waits ([RetryPolicy]).
// Calls to Umami Cloud keep to its 50 in 15 seconds ([WithRateLimit]).
//
// # Polling
//
// The server keeps no cursor; since 2.13 it gives its rows no id and shows at
// most 100 of them. A [Poller] turns its replies into a stream of [Diff]: every visit
// once, in order, with gaps filled or said, and able to go on after a restart:
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
// [Client.ListEvents] lists all rows of a range, [Client.ListWebsites] the
// websites to read; [Client.GetActiveVisitors] counts the visitors of the last
// 5 minutes, [Realtime.VisitorsByURL] those on each page, and [Client.Ping]
// tells whether server and credential are good.
//
// # Testing
//
// Package umamitest is a fake Umami server for the tests of whoever imports
// this package: made-up traffic, faults, and the behaviour of each server
// version.
package umami
