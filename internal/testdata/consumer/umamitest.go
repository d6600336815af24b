package consumer

import (
	"net/http"
	"net/url"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

// Values.
var (
	_ string             = umamitest.APIKey
	_ umamitest.Kind     = umamitest.Beacon
	_ umamitest.Database = umamitest.ClickHouse
	_ umamitest.Profile  = umamitest.Cloud
	_ umamitest.Profile  = umamitest.CloudDocs
	_ umamitest.Kind     = umamitest.CustomEvent
	_ umamitest.Kind     = umamitest.Pageview
	_ string             = umamitest.Password
	_ umamitest.Database = umamitest.Postgres
	_ umamitest.Profile  = umamitest.SelfHostedDocs
	_ string             = umamitest.ShareID
	_ string             = umamitest.Token
	_ string             = umamitest.Username
	_ umamitest.Profile  = umamitest.V2_0
	_ umamitest.Profile  = umamitest.V2_12
	_ umamitest.Profile  = umamitest.V2_13
	_ umamitest.Profile  = umamitest.V2_16
	_ umamitest.Profile  = umamitest.V2_18
	_ umamitest.Profile  = umamitest.V2_9
	_ umamitest.Profile  = umamitest.V3_0
	_ umamitest.Profile  = umamitest.V3_1
	_ umamitest.Profile  = umamitest.V3_4
	_ string             = umamitest.WebsiteID
)

// Functions.
var (
	_ func(string) umamitest.Fault                = umamitest.Body
	_ func() umamitest.Fault                      = umamitest.Cut
	_ func(time.Duration) umamitest.Fault         = umamitest.Delay
	_ func() umamitest.Fault                      = umamitest.ExpiredToken
	_ func() umamitest.Fault                      = umamitest.Hang
	_ func() umamitest.Option                     = umamitest.InProcess
	_ func(...umamitest.Option) *umamitest.Server = umamitest.NewServer
	_ func(int) umamitest.Fault                   = umamitest.Page
	_ func() []umamitest.Profile                  = umamitest.Profiles
	_ func() umamitest.Fault                      = umamitest.Reset
	_ func(int, string) umamitest.Fault           = umamitest.Status
	_ func(int, time.Duration) umamitest.Fault    = umamitest.StatusRetryAfter
	_ func(func() time.Time) umamitest.Option     = umamitest.WithClock
	_ func(time.Duration) umamitest.Option        = umamitest.WithClockSkew
	_ func(umamitest.Database) umamitest.Option   = umamitest.WithDatabase
	_ func(*time.Location) umamitest.Option       = umamitest.WithDatabaseTimezone
	_ func(umamitest.Profile) umamitest.Option    = umamitest.WithProfile
	_ func(time.Duration) umamitest.Option        = umamitest.WithReplicas
	_ func() umamitest.Option                     = umamitest.WithShuffledTies
	_ func(umamitest.Traffic) umamitest.Option    = umamitest.WithTraffic
	_ func() umamitest.Option                     = umamitest.WithTwoFactor
	_ func(...umamitest.Website) umamitest.Option = umamitest.WithWebsites
	_ func(int) umamitest.Option                  = umamitest.WithoutEvents
)

// Methods.
var (
	_ func(umamitest.Database) string                                = umamitest.Database.String
	_ func(umamitest.Kind) string                                    = umamitest.Kind.String
	_ func(umamitest.Profile) string                                 = umamitest.Profile.String
	_ func(*umamitest.Server)                                        = (*umamitest.Server).ExpireTokens
	_ func(*umamitest.Server, ...umami.Option) *umami.Client         = (*umamitest.Server).Client
	_ func(*umamitest.Server, int, umamitest.Fault)                  = (*umamitest.Server).Fail
	_ func(*umamitest.Server)                                        = (*umamitest.Server).Recover
	_ func(*umamitest.Server) []umamitest.Request                    = (*umamitest.Server).Requests
	_ func(*umamitest.Server, http.ResponseWriter, *http.Request)    = (*umamitest.Server).ServeHTTP
	_ func(*umamitest.Server) *http.Client                           = (*umamitest.Server).HTTPClient
	_ func(*umamitest.Server)                                        = (*umamitest.Server).Close
	_ func(*umamitest.Server, umamitest.Visit) umamitest.Row         = (*umamitest.Server).Visit
	_ func(*umamitest.Server, string, umamitest.Visit) umamitest.Row = (*umamitest.Server).Event
	_ func(*umamitest.Server, umamitest.Visit) umamitest.Row         = (*umamitest.Server).Performance
	_ func(*umamitest.Server) []umamitest.Row                        = (*umamitest.Server).Truth
)

// Types.
var (
	_ umamitest.Database
	_ *umamitest.Fault
	_ umamitest.Kind
	_ umamitest.Option
	_ umamitest.Profile
	_ = umamitest.Request{Time: time.Time{}, Method: "", Path: "", Query: url.Values(nil), Status: 0}
	_ = umamitest.Row{Visit: umamitest.Visit{}, ID: "", Kind: umamitest.Kind(0), EventName: ""}
	_ = &umamitest.Server{URL: "", WebsiteID: ""}
	_ = umamitest.Traffic{
		Seed: 0, Rate: float64(0), Until: time.Time{}, Late: time.Duration(0), Alike: float64(0), Bursts: float64(0), Crowd: 0,
	}
	_ = umamitest.Visit{
		SessionID: "", CreatedAt: time.Time{}, VisibleAt: time.Time{}, Hostname: "", URLPath: "", URLQuery: "", PageTitle: "",
		ReferrerDomain: "", ReferrerPath: "", ReferrerQuery: "", Browser: "", OS: "", Device: "", Country: "", City: "", Screen: "",
		Language: "", HasData: false,
	}
	_ = umamitest.Website{ID: "", Name: "", Domain: "", TeamID: "", CreatedAt: time.Time{}}
)
