// Package umamitest is a fake Umami server for tests and examples. It answers
// GET /api/realtime/{websiteId} as a chosen server version does: with its keys and
// formats, its row limit, its order, the rows that it repeats for sessions, and its
// errors.
//
//	srv := umamitest.NewServer(umamitest.WithProfile(umamitest.V2_18))
//	defer srv.Close()
//	srv.Visit(umamitest.Visit{URLPath: "/pricing", Country: "PL"})
//	rt, err := srv.Client().GetRealtime(ctx, srv.WebsiteID, nil)
//
// It also answers the calls around that endpoint: logging in, websites, active
// visitors, and GET /api/websites/{websiteId}/events, which profiles of 2.13
// and later have. As on real servers, the order of rows of the same instant changes
// there from call to call, so that reading page by page loses some and repeats
// others, while one page for a whole range is exact. V2_13 and V2_16 list no more
// than the newest 1,000 rows of a range, and V2_13 refuses pages of more than 200.
//
// Traffic is put in by hand with Server.Visit, Server.Event and
// Server.Performance, or made up with WithTraffic. Server.Truth returns all that
// happened, whether a reply showed it or not. Server.Fail makes requests meet a
// fault, Server.ExpireTokens ends tokens, and Server.Requests returns what was
// asked.
//
// To imitate the disorder of real sites, Traffic can be late, repeat itself and
// come in bursts; WithReplicas shows older states, WithShuffledTies other rows at
// the limit each time; WithClockSkew and WithDatabaseTimezone make clocks wrong.
//
// With InProcess there is no socket, no goroutine and no timer, so that a server
// can be used inside a testing/synctest bubble, whose clock it then follows.
//
// The fake follows recordings of real servers where there are any (2.10, 2.12,
// 2.13, 2.17, 2.20, 3.1), and otherwise Umami's source. Two profiles follow the
// two documents of the realtime endpoint, which differ from the servers and from
// each other: the self-hosted document, which is "Get Realtime Data" in the API
// documentation of self-hosted servers, and the Cloud document, "Realtime
// Statistics" in that of Umami Cloud.
package umamitest
