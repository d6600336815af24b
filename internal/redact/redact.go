// Package redact takes secrets out of what servers and proxies say: some of them
// repeat what they were asked.
package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Secrets are texts that were sent and must not be shown. One of fewer than
// eight bytes may stand in any text by chance, and is left there.
type Secrets []string

const shortest = 8

// Of lists what an Auth may have put into a request for asked: into its header,
// of which a server may repeat a part, or into its query.
func Of(req *http.Request, asked *url.URL) Secrets {
	var found Secrets
	for name, values := range req.Header {
		if name == "Accept" || name == "User-Agent" || name == "Content-Type" {
			continue // ours
		}
		for _, value := range values {
			found = append(found, strings.Fields(value)...)
			if strings.ContainsAny(value, "=;,") {
				found = append(found, strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t=;,", r) })...)
			}
		}
	}
	if req.URL.RawQuery != asked.RawQuery {
		before := asked.Query()
		for name, values := range req.URL.Query() {
			if !slices.Equal(values, before[name]) {
				found = append(found, values...)
			}
		}
	}
	return found
}

// Hide blots out secrets in a text.
func (s Secrets) Hide(text []byte) {
	// The longest first: a part of one would leave its rest.
	s = slices.SortedFunc(slices.Values(s), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	for _, secret := range slices.Compact(s) {
		if len(secret) < shortest {
			continue
		}
		forms := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret),
			strings.NewReplacer("~", "~0", "/", "~1").Replace(secret), // in a JSON pointer
		}
		if quoted, err := json.Marshal(secret); err == nil {
			forms = append(forms, strings.Trim(string(quoted), `"`))
		}
		for _, form := range forms {
			blot(text, []byte(form))
		}
	}
}

// HideIn is Hide for a string.
func (s Secrets) HideIn(text string) string {
	b := []byte(text)
	s.Hide(b)
	return string(b)
}

// blot writes over each place where secret stands, and over its beginning where
// the text is cut off within it.
func blot(text, secret []byte) {
	stars := bytes.Repeat([]byte("*"), len(secret))
	for {
		i := bytes.Index(text, secret)
		if i < 0 {
			break
		}
		text = text[i+copy(text[i:], stars):]
	}
	for n := min(len(secret), len(text)); n >= 4; n-- { // less is no loss
		if bytes.HasSuffix(text, secret[:n]) {
			copy(text[len(text)-n:], stars)
		}
	}
}
