// Package consumer names all that the packages export, with its type: it stands
// for the programs that import them. What breaks it breaks them.
package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	umami "github.com/seed721439b2/umami-go"
)

// Values.
var (
	_ umami.Overflow  = umami.Block
	_ string          = umami.CloudURL
	_ umami.Overflow  = umami.Coalesce
	_ umami.StartMode = umami.EmitExisting
	_ error           = umami.ErrBadRequest
	_ error           = umami.ErrCheckpoint
	_ error           = umami.ErrCrowded
	_ error           = umami.ErrForbidden
	_ error           = umami.ErrInvalidArgument
	_ error           = umami.ErrNotFound
	_ error           = umami.ErrRateLimited
	_ error           = umami.ErrRedirectRefused
	_ error           = umami.ErrResponseTooLarge
	_ error           = umami.ErrServer
	_ error           = umami.ErrTwoFactorRequired
	_ error           = umami.ErrUnauthorized
	_ umami.GapReason = umami.GapBackfillFailed
	_ umami.GapReason = umami.GapBackfillLimit
	_ umami.GapReason = umami.GapBackfillRefused
	_ umami.GapReason = umami.GapBackfillUnavailable
	_ umami.GapReason = umami.GapOutage
	_ umami.GapReason = umami.GapResume
	_ umami.GapReason = umami.GapTruncated
	_ umami.StartMode = umami.SkipExisting
)

// Functions.
var (
	_ func(string) umami.Auth                                          = umami.APIKey
	_ func(string) umami.Auth                                          = umami.BearerToken
	_ func(func(ctx context.Context) (string, error)) umami.Auth       = umami.BearerTokenFunc
	_ func(string, string) umami.Auth                                  = umami.Login
	_ func(string, umami.Auth, ...umami.Option) (*umami.Client, error) = umami.NewClient
	_ func(string) umami.Auth                                          = umami.ShareLink
	_ func(*http.Client) umami.Option                                  = umami.WithHTTPClient
	_ func(*slog.Logger) umami.Option                                  = umami.WithLogger
	_ func(int64) umami.Option                                         = umami.WithMaxResponseBytes
	_ func(int, time.Duration) umami.Option                            = umami.WithRateLimit
	_ func(umami.RetryPolicy) umami.Option                             = umami.WithRetry
	_ func(time.Duration) umami.Option                                 = umami.WithTimeout
	_ func(string) umami.Option                                        = umami.WithUserAgent
)

// Methods.
var (
	_ func(*umami.APIError) string                                                                            = (*umami.APIError).Error
	_ func(*umami.APIError, error) bool                                                                       = (*umami.APIError).Is
	_ func(*umami.APIError) slog.Value                                                                        = (*umami.APIError).LogValue
	_ func(umami.Auth, context.Context, *http.Request) error                                                  = umami.Auth.Authorize
	_ func(umami.Checkpoint) ([]byte, error)                                                                  = umami.Checkpoint.MarshalJSON
	_ func(*umami.Checkpoint, []byte) error                                                                   = (*umami.Checkpoint).UnmarshalJSON
	_ func(*umami.Client) string                                                                              = (*umami.Client).String
	_ func(*umami.Client, fmt.State, rune)                                                                    = (*umami.Client).Format
	_ func(*umami.Client, string, *umami.PollerOptions) (*umami.Poller, error)                                = (*umami.Client).NewPoller
	_ func(*umami.Client, context.Context, string, *umami.RealtimeOptions) (*umami.Realtime, error)           = (*umami.Client).GetRealtime
	_ func(*umami.Client, context.Context, string, *umami.EventsOptions) iter.Seq2[umami.WebsiteEvent, error] = (*umami.Client).ListEvents
	_ func(*umami.Client, context.Context, *umami.WebsitesOptions) iter.Seq2[umami.Website, error]            = (*umami.Client).ListWebsites
	_ func(*umami.Client, context.Context, string) (*umami.Website, error)                                    = (*umami.Client).GetWebsite
	_ func(*umami.Client, context.Context, string) (int, error)                                               = (*umami.Client).GetActiveVisitors
	_ func(*umami.Client, context.Context) error                                                              = (*umami.Client).Ping
	_ func(*umami.DecodeError) string                                                                         = (*umami.DecodeError).Error
	_ func(*umami.DecodeError) error                                                                          = (*umami.DecodeError).Unwrap
	_ func(*umami.DecodeError) slog.Value                                                                     = (*umami.DecodeError).LogValue
	_ func(umami.Diff) bool                                                                                   = umami.Diff.Empty
	_ func(umami.Diff) umami.Checkpoint                                                                       = umami.Diff.Checkpoint
	_ func(*umami.PollError) string                                                                           = (*umami.PollError).Error
	_ func(*umami.PollError) error                                                                            = (*umami.PollError).Unwrap
	_ func(*umami.Poller, context.Context) <-chan umami.Diff                                                  = (*umami.Poller).Start
	_ func(*umami.Poller, context.Context) iter.Seq2[umami.Diff, error]                                       = (*umami.Poller).All
	_ func(*umami.Poller) error                                                                               = (*umami.Poller).Err
	_ func(*umami.Poller) string                                                                              = (*umami.Poller).String
	_ func(*umami.Poller, fmt.State, rune)                                                                    = (*umami.Poller).Format
	_ func(*umami.Realtime) map[string]int                                                                    = (*umami.Realtime).VisitorsByURL
	_ func(umami.Realtime) ([]byte, error)                                                                    = umami.Realtime.MarshalJSON
	_ func(*umami.Realtime, []byte) error                                                                     = (*umami.Realtime).UnmarshalJSON
	_ func(umami.Refresher, context.Context, *http.Request) error                                             = umami.Refresher.Authorize
	_ func(umami.Refresher, context.Context, *http.Request) error                                             = umami.Refresher.Refresh
)

// Types.
var (
	_ = umami.APIError{
		StatusCode: 0, Code: "", Message: "", Method: "", Path: "", RetryAfter: time.Duration(0), Attempts: 0, Body: []byte(nil),
	}
	_ *umami.Checkpoint
	_ *umami.Client
	_ = umami.DecodeError{Method: "", Path: "", Field: "", Offset: 0, Excerpt: "", Body: []byte(nil), Err: nil}
	_ = umami.Diff{
		WebsiteID: "", Seq: 0, Time: time.Time{}, Initial: false, Pageviews: []umami.Pageview(nil), Events: []umami.Event(nil),
		Started: []umami.Session(nil), Ended: []umami.Session(nil), URLs: map[string]int(nil), Referrers: map[string]int(nil),
		Countries: map[string]int(nil), Totals: umami.Totals{}, Gaps: []umami.Gap(nil), Stale: time.Duration(0), Polls: 0,
		Failures: 0, Snapshot: (*umami.Realtime)(nil),
	}
	_ = umami.Event{
		ID: "", Key: "", SessionID: "", EventName: "", CreatedAt: time.Time{}, Hostname: "", URLPath: "", URLQuery: "",
		ReferrerDomain: "", PageTitle: "", Browser: "", OS: "", Device: "", Country: "",
	}
	_ = umami.EventsOptions{StartAt: time.Time{}, EndAt: time.Time{}, PageSize: 0, Filters: umami.Filters{}}
	_ = umami.Filters{
		Path: "", Referrer: "", Title: "", Query: "", OS: "", Browser: "", Device: "", Country: "", Region: "", City: "", Tag: "",
		Hostname: "", DistinctID: "", Language: "", Event: "", UTMSource: "", UTMMedium: "", UTMCampaign: "", UTMContent: "",
		UTMTerm: "", ExcludeBounce: "", Segment: "", Cohort: "", EventType: "", Match: "",
	}
	_ = umami.Gap{From: time.Time{}, To: time.Time{}, Reason: umami.GapReason(""), Missed: 0}
	_ umami.GapReason
	_ umami.Option
	_ umami.Overflow
	_ = umami.Pageview{
		ID: "", Key: "", SessionID: "", CreatedAt: time.Time{}, Hostname: "", URLPath: "", URLQuery: "", ReferrerDomain: "",
		PageTitle: "", Browser: "", OS: "", Device: "", Country: "", Performance: false,
	}
	_ = umami.Point{Time: time.Time{}, Count: 0}
	_ = umami.PollError{Err: nil, Failures: 0, Next: time.Duration(0)}
	_ *umami.Poller
	_ = umami.PollerOptions{
		Interval: time.Duration(0), MinInterval: time.Duration(0), Filters: umami.Filters{}, Start: umami.StartMode(0),
		Resume: (*umami.Checkpoint)(nil), Overflow: umami.Overflow(0), MaxPending: 0, NoBackfill: false, MaxBackfill: 0,
		Audit: false, OnError: (func(*umami.PollError))(nil),
	}
	_ = umami.Realtime{
		Pageviews: []umami.Pageview(nil), Sessions: []umami.Session(nil), Events: []umami.Event(nil), URLs: map[string]int(nil),
		Referrers: map[string]int(nil), Countries: map[string]int(nil), Series: umami.Series{}, Totals: umami.Totals{}, Visitors: 0,
		Timestamp: time.Time{}, Truncated: false, Raw: json.RawMessage(nil),
	}
	_ = umami.RealtimeOptions{StartAt: time.Time{}, EndAt: time.Time{}, Timezone: "", Filters: umami.Filters{}}
	_ = umami.RetryPolicy{Max: 0, MinWait: time.Duration(0), MaxWait: time.Duration(0)}
	_ = umami.Series{Views: []umami.Point(nil), Visitors: []umami.Point(nil)}
	_ = umami.Session{
		ID: "", SessionID: "", CreatedAt: time.Time{}, Hostname: "", URLPath: "", URLQuery: "", ReferrerDomain: "", PageTitle: "",
		Browser: "", OS: "", Device: "", Country: "",
	}
	_ umami.StartMode
	_ = umami.Totals{Views: 0, Visitors: 0, Events: 0, Countries: 0}
	_ = umami.Website{ID: "", Name: "", Domain: "", UserID: "", TeamID: "", CreatedAt: time.Time{}, ResetAt: time.Time{}}
	_ = umami.WebsiteEvent{
		ID: "", WebsiteID: "", SessionID: "", CreatedAt: time.Time{}, Hostname: "", URLPath: "", URLQuery: "", ReferrerPath: "",
		ReferrerQuery: "", ReferrerDomain: "", PageTitle: "", Browser: "", OS: "", Device: "", Country: "", City: "", EventType: 0,
		EventName: "", HasData: false,
	}
	_ = umami.WebsitesOptions{IncludeTeams: false, PageSize: 0}
)
