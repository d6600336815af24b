package umamitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Credentials that a Server accepts.
const (
	// Token is a Bearer token of an administrator, until ExpireTokens.
	Token = "dG9rZW4tb25seS1mb3ItdGVzdHM=" //nolint:gosec // it opens a fake server only
	// APIKey is accepted by CloudDocs and Cloud, and as a Bearer token by V3_4
	// and SelfHostedDocs.
	APIKey = "umami_00000000000000000000000000000000"
	// Username and Password log in, on self-hosted profiles.
	Username = "admin"
	Password = "umami"
	// ShareID is the id of a share link to the website, on self-hosted
	// profiles.
	ShareID = "s9mpIe5hare"
)

// userID is the administrator.
const userID = "41e2b680-648e-4b09-bcd7-3e2b10c06264"

// ExpireTokens ends Token and every token that a login or a share link gave.
// The next login or share link gives a new one. API keys stay valid.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
}

// token is the current token of a login.
func (s *Server) token() string { return s.current(Token) }

func (s *Server) shareToken() string { return s.current("c2hhcmUtb25seS1mb3ItdGVzdHM=") }

func (s *Server) current(first string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == 0 {
		return first
	}
	return fmt.Sprintf("%s.%d", first, s.tokens)
}

// access is what a request's credential opens.
type access int

const (
	nothing access = iota
	oneSite
	everything
)

func (s *Server) access(r *http.Request) access {
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		bearer = ""
	}
	switch {
	case s.apiKeys && bearer == APIKey,
		s.cloud && r.Header.Get("X-Umami-Api-Key") == APIKey,
		!s.cloud && bearer == s.token():
		return everything
	case !s.cloud && r.Header.Get("X-Umami-Share-Token") == s.shareToken() &&
		(!s.shareContext || r.Header.Get("X-Umami-Share-Context") == "1"):
		return oneSite
	}
	return nothing
}

// unauthorized answers a request without a good credential.
func (s *Server) unauthorized(w *answer, r *http.Request) {
	switch {
	case !s.cloud:
		s.fail(w, http.StatusUnauthorized, "unauthorized", "Unauthorized")
	case r.Header.Get("X-Umami-Api-Key") == "" && r.Header.Get("Authorization") == "":
		s.fail(w, http.StatusBadRequest, "bad-request", "No API key specified.")
	default:
		s.fail(w, http.StatusUnauthorized, "unauthorized", "Invalid API key.")
	}
}

// user is the administrator as the version shows it.
func (s *Server) user(teams bool) string {
	user := fmt.Sprintf(`{"id":%q,"username":%q`, userID, Username)
	if s.userRole {
		user += `,"role":"admin"`
	}
	user += `,"createdAt":"2026-11-22T08:42:57.633Z"`
	if s.userRole {
		user += `,"isAdmin":true`
	}
	if teams && s.userTeams {
		user += `,"teams":[]`
	}
	return user + "}"
}

func (s *Server) login(w *answer, r *http.Request) {
	if !s.allow(w, r, http.MethodPost) {
		return
	}
	var given struct {
		Username *string `json:"username"`
		Password *string `json:"password"`
	}
	const limit = 1 << 20
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(&given); err != nil {
		s.fail(w, http.StatusBadRequest, "bad-request", "Bad request",
			[2]string{"", "Invalid input: expected object, received undefined"})
		return
	}
	for _, field := range []struct {
		name  string
		value *string
	}{{"username", given.Username}, {"password", given.Password}} {
		if field.value == nil {
			s.missing(w, field.name)
			return
		}
	}
	switch {
	case *given.Username != Username || *given.Password != Password:
		message := "message.incorrect-username-password"
		if s.errors == envelope {
			message = "Unauthorized"
		}
		s.fail(w, http.StatusUnauthorized, "incorrect-username-password", message)
	case s.twoFactor:
		w.json(`{"requiresTwoFactor":true,"partialToken":"cGFydGlhbC1vbmx5LWZvci10ZXN0cw=="}`)
	default:
		w.json(fmt.Sprintf(`{"token":%q,"user":%s}`, s.token(), s.user(true)))
	}
}

func (s *Server) verifyToken(w *answer, r *http.Request) {
	if s.verifyMethod != "" && !s.allow(w, r, s.verifyMethod) {
		return
	}
	if s.access(r) != everything || r.Header.Get("Authorization") == "Bearer "+APIKey { // keys are no good below /auth
		s.unauthorized(w, r)
		return
	}
	w.json(s.user(true))
}

func (s *Server) me(w *answer, r *http.Request) {
	if !s.allow(w, r, http.MethodGet) {
		return
	}
	granted := s.access(r)
	switch {
	case granted == nothing:
		s.unauthorized(w, r)
		return
	case granted == oneSite && s.pagesRouter: // nobody, but let in
		w.json("null")
		return
	case granted == oneSite:
		w.json(fmt.Sprintf(`{"shareToken":{"websiteId":%q,"iat":1795337000},"user":null}`, s.WebsiteID))
		return
	case s.pagesRouter:
		w.json(s.user(false))
		return
	}
	token := "null" // an API key in a header of its own
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		token = string(marshal(bearer))
	}
	w.json(fmt.Sprintf(`{"token":%s,"shareToken":null,"user":%s}`, token, s.user(false)))
}

func (s *Server) share(w *answer, r *http.Request, id string) {
	switch {
	case !s.allow(w, r, http.MethodGet):
	case id != ShareID:
		s.fail(w, http.StatusNotFound, "not-found", "Not found")
	case s.shareContext:
		w.json(fmt.Sprintf(`{"shareId":"c5734c6b-a0dc-4389-95f2-fdc7b4ace85a","shareType":1,"parameters":{},"websiteId":%q,"token":%q}`,
			s.WebsiteID, s.shareToken()))
	default:
		w.json(fmt.Sprintf(`{"websiteId":%q,"token":%q}`, s.WebsiteID, s.shareToken()))
	}
}
