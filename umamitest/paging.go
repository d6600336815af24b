package umamitest

import (
	"fmt"
	"net/url"
	"strconv"
)

// paging is which part of a list is asked for.
type paging struct{ page, size int }

// problems are what is wrong with a request: pairs as for fail.
type problems [][2]string

func (p *problems) add(name, problem string) { *p = append(*p, [2]string{name, problem}) }

// usualPageSize is how long a page is if the request does not say it.
func (s *setting) usualPageSize() int {
	if s.since3() {
		return 20
	}
	return 10
}

// paging reads the parameters that say which part of a list is asked for.
func (s *setting) paging(values url.Values, size int, found *problems) paging {
	p := paging{page: 1, size: size}
	for _, field := range []struct {
		name  string
		value *int
		most  int
	}{{"page", &p.page, 0}, {"pageSize", &p.size, s.maxPageSize}} {
		text := values.Get(field.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		switch {
		case err != nil:
			found.add(field.name, s.notANumber())
		case n <= 0:
			found.add(field.name, map[errorStyle]string{
				envelope: "Too small: expected number to be >0",
				bare:     "Number must be greater than 0",
				plain:    "must be a positive number",
			}[s.errors])
		case field.most > 0 && n > int64(field.most):
			found.add(field.name, fmt.Sprintf("must be less than or equal to %d", field.most))
		default:
			*field.value = int(n)
		}
	}
	return p
}

func (s *setting) notANumber() string {
	return map[errorStyle]string{
		envelope: "Invalid input: expected number, received NaN",
		bare:     "Expected number, received nan",
		plain:    "must be a number",
	}[s.errors]
}

// part gives the places of a page in a list of so many: from the first to
// before the second.
func (p paging) part(count int) (from, to int) {
	from = int(min(int64(p.page-1)*int64(p.size), int64(count)))
	return from, from + min(p.size, count-from)
}
