package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http" //nolint:depguard // the one file that speaks HTTP, and only as a client that fetches keys
	"net/url"
	"strings"
	"time"
)

const (
	fetchTimeout   = 10 * time.Second // of all requests of one fetch together
	maxBody        = 1 << 20          // bytes of a document
	maxHeaderBytes = 64 << 10
	maxRedirects   = 3
)

// An endpoint is where an issuer's keys are.
type endpoint struct {
	client   *http.Client
	issuer   string // its discovery document is asked where the keys are, if
	url      string // is ""
	insecure bool   // http may be used
}

// newEndpoint returns o's. Whom it trusts is in roots; nil means whom the system trusts.
func newEndpoint(o *Issuer, roots *x509.CertPool) *endpoint {
	e := &endpoint{issuer: o.Issuer, url: o.JWKSURL, insecure: o.InsecureHTTP}
	e.client = &http.Client{
		CheckRedirect: e.checkRedirect,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableKeepAlives:      true, // minutes pass between two requests
		},
	}
	return e
}

// fetch returns the document with the keys. Its error holds no more of a URL than its host and path.
func (e *endpoint) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	where := e.url
	if where == "" {
		var err error
		if where, err = e.discover(ctx); err != nil {
			return nil, err
		}
	}
	return e.get(ctx, where)
}

// discover returns the jwks_uri of the issuer's document (OpenID Connect Discovery 1.0, 4).
func (e *endpoint) discover(ctx context.Context) (string, error) {
	where := strings.TrimSuffix(e.issuer, "/") + "/.well-known/openid-configuration"
	body, err := e.get(ctx, where)
	if err != nil {
		return "", err
	}
	document, err := decodeObject(body)
	if err != nil {
		return "", fmt.Errorf("%s is not a JSON object (a web page?)", shown(where))
	}
	// 4.3: or else one who has taken over a part of the site could speak for all of it.
	if document["issuer"] != e.issuer {
		return "", fmt.Errorf("%s is of another issuer than the configured %q", shown(where), e.issuer)
	}
	uri, _ := document["jwks_uri"].(string)
	if err := checkURL(uri, e.insecure); err != nil {
		return "", fmt.Errorf("the jwks_uri in %s %w", shown(where), err)
	}
	return uri, nil
}

func (e *endpoint) get(ctx context.Context, where string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, fmt.Errorf("making a request for %s", shown(where)) // the cause would quote all of the URL
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "roomgate")
	resp, err := e.client.Do(req)
	if err != nil {
		if cause, ok := errors.AsType[*url.Error](err); ok {
			err = cause.Err // without the URL
		}
		return nil, fmt.Errorf("asking for %s: %w", shown(where), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for %s: the status is %d, not 200", shown(where), resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1)) // of what is decompressed
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown(where), err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("reading %s: it is longer than %d bytes", shown(where), maxBody)
	}
	return body, nil
}

// checkRedirect lets a document move about its own host. via has the requests so far.
func (e *endpoint) checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case req.URL.Host != first.Host:
		return errors.New("it redirects to another host: if that is right, configure where it leads")
	case req.URL.Scheme != "https" && req.URL.Scheme != first.Scheme:
		return errors.New("it redirects from https to " + quote(req.URL.Scheme))
	case len(via) > maxRedirects:
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	return nil
}

// checkURL returns what is wrong with raw, in words that go after its name.
func checkURL(raw string, insecure bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is not a URL with a host")
	case u.Scheme == "http" && !insecure:
		return errors.New("is http: use https, or say InsecureHTTP")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is not https")
	case u.User != nil || u.Fragment != "":
		return errors.New("has a user or a fragment: leave it out")
	}
	return nil
}

// shown is the part of a URL that is fit for a log: its query may hold a password.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "its URL"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
