package umamitest

import (
	"fmt"

	"github.com/seed721439b2/umami-go"
)

// Client returns a client of the server with a good credential: Token, or
// APIKey for the profiles of Umami Cloud. It panics if an option is bad.
func (s *Server) Client(opts ...umami.Option) *umami.Client {
	auth := umami.BearerToken(s.token())
	if s.cloud {
		auth = umami.APIKey(APIKey)
	}
	through := s.HTTPClient()
	if s.listener != nil {
		through = s.listener.Client()
	}
	opts = append([]umami.Option{umami.WithHTTPClient(through)}, opts...)
	c, err := umami.NewClient(s.URL, auth, opts...)
	if err != nil {
		panic(fmt.Sprintf("umamitest: %v", err))
	}
	return c
}
