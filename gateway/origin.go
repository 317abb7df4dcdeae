package gateway

import (
	"fmt"
	"net/url"
	"strings"
)

// An originSet says which pages may connect, by the Origin header that browsers send and
// pages cannot change (RFC 6455 section 10.2, RFC 6454).
type originSet struct {
	any      bool            // no check but required
	required bool            // a request without Origin is refused
	exact    map[string]bool // scheme://host[:port], lower case
	suffixes []wildOrigin    // of https://*.example.com
}

// A wildOrigin stands for every host under a domain, the domain itself not included.
type wildOrigin struct{ scheme, suffix string }

// newOriginSet reads patterns: an origin, or one whose host begins with "*.".
func newOriginSet(patterns []string, any, required bool) (originSet, error) {
	s := originSet{any: any, required: required, exact: make(map[string]bool)}
	for _, p := range patterns {
		p = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(p), "/"))
		u, err := url.Parse(strings.Replace(p, "://*.", "://", 1))
		if err != nil || u.Scheme == "" || u.Host == "" || p == "null" || u.Scheme+"://"+u.Host != strings.Replace(p, "://*.", "://", 1) || strings.Contains(u.Host, "*") {
			return s, fmt.Errorf("origin %q: write scheme://host[:port], such as https://example.com or https://*.example.com", p)
		}
		if scheme, suffix, ok := strings.Cut(p, "://*"); ok {
			s.suffixes = append(s.suffixes, wildOrigin{scheme + "://", suffix})
		} else {
			s.exact[p] = true
		}
	}
	return s, nil
}

// allow reports whether a request with this Origin header may connect. No header: it is not
// from a page, and carries no user's cookies by itself. With an empty list the page's host
// must be the one that was asked for.
func (s *originSet) allow(origin, host string) bool {
	if origin == "" {
		return !s.required
	}
	if s.any {
		return true
	}
	origin = strings.ToLower(origin)
	if s.exact[origin] {
		return true
	}
	for _, w := range s.suffixes {
		rest, ok := strings.CutPrefix(origin, w.scheme)
		if ok && strings.HasSuffix(rest, w.suffix) && len(rest) > len(w.suffix) && !strings.ContainsAny(rest, "/@?#\\") {
			return true
		}
	}
	if len(s.exact)+len(s.suffixes) > 0 {
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}
