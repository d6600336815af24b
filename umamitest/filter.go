package umamitest

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// columns are what the filters of the realtime endpoint compare. Those that
// are not here (region, tag, distinctId, excludeBounce) have no column
// in a fake server and change nothing.
var columns = map[string]func(*Row) string{
	"path":        func(r *Row) string { return r.URLPath },
	"query":       func(r *Row) string { return r.URLQuery },
	"title":       func(r *Row) string { return r.PageTitle },
	"referrer":    func(r *Row) string { return r.ReferrerDomain },
	"hostname":    func(r *Row) string { return r.Hostname },
	"browser":     func(r *Row) string { return r.Browser },
	"os":          func(r *Row) string { return r.OS },
	"device":      func(r *Row) string { return r.Device },
	"country":     func(r *Row) string { return r.Country },
	"city":        func(r *Row) string { return r.City },
	"language":    func(r *Row) string { return r.Language },
	"event":       func(r *Row) string { return r.EventName },
	"eventType":   func(r *Row) string { return strconv.Itoa(int(r.Kind)) },
	"utmSource":   utm("utm_source"),
	"utmMedium":   utm("utm_medium"),
	"utmCampaign": utm("utm_campaign"),
	"utmContent":  utm("utm_content"),
	"utmTerm":     utm("utm_term"),
}

func utm(name string) func(*Row) string {
	return func(r *Row) string {
		values, err := url.ParseQuery(r.URLQuery)
		if err != nil {
			return ""
		}
		return values.Get(name)
	}
}

// newFilter makes what keeps the rows that a query asks for: nil for all.
// A broken regular expression, which fails in the database, is an error.
func newFilter(query url.Values) (func(*Row) bool, error) {
	var conditions []func(*Row) bool
	for name, values := range query {
		column, known := columns[strings.TrimRight(name, "0123456789")] // a repeated filter has a number
		if !known {
			continue
		}
		matches, err := condition(values[0])
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, func(r *Row) bool { return matches(column(r)) })
	}
	if len(conditions) == 0 {
		return nil, nil //nolint:nilnil // no filter is no error
	}
	every := query.Get("match") != "any"
	return func(r *Row) bool {
		for _, matches := range conditions {
			if matches(r) != every {
				return !every
			}
		}
		return every
	}, nil
}

// condition reads a filter's operator and values.
func condition(filter string) (func(string) bool, error) {
	operator, value, found := strings.Cut(filter, ".")
	switch {
	case !found:
		value = filter
	case operator == "eq":
	case operator == "neq":
		list := strings.Split(value, ",")
		return func(s string) bool { return !slices.Contains(list, s) }, nil
	case operator == "c", operator == "dnc":
		return func(s string) bool {
			return strings.Contains(strings.ToLower(s), strings.ToLower(value)) == (operator == "c")
		}, nil
	case operator == "re", operator == "nre":
		expression, err := regexp.Compile("(?i)" + value)
		if err != nil {
			return nil, err
		}
		return func(s string) bool { return expression.MatchString(s) == (operator == "re") }, nil
	default:
		value = filter // a dot that is the value's own
	}
	list := strings.Split(value, ",")
	return func(s string) bool { return slices.Contains(list, s) }, nil
}
