// Package web holds the pages that roomgate serves, built from the sources beside it.
// It knows nothing of what they show: each asks for that itself.
package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed dist
var dist embed.FS // made by build.mjs, and committed: to build roomgate needs no Node

// types are those of the files that there are. A table of the system's could say something else.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A file is one of a page's, as it is served.
type file struct {
	content []byte
	kind    string // its media type
	etag    string // a hash of content: the same in every replica of a version
}

// A Page serves the files of one page: index.html at its root, and the others beside it.
// It lets a browser keep them, but ask each time whether they are still those.
type Page struct{ files map[string]file }

// Playground is the page on which one sees rooms at work.
func Playground() (*Page, error) { return newPage("playground") }

// newPage reads the files of the page of that name.
func newPage(name string) (*Page, error) {
	p := &Page{files: make(map[string]file)}
	err := fs.WalkDir(dist, path.Join("dist", name), func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := dist.ReadFile(at)
		if err != nil {
			return err
		}
		kind, ok := types[path.Ext(at)]
		if !ok {
			return fmt.Errorf("%s has no media type in web.go", at)
		}
		sum := sha256.Sum256(content)
		p.files[path.Base(at)] = file{content, kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	if err == nil && p.files["index.html"].content == nil {
		err = errors.New("it has no index.html: run make web")
	}
	if err != nil {
		return nil, fmt.Errorf("the page %q: %w", name, err)
	}
	return p, nil
}

// Has reports whether the page has a file at path, which is relative to the page.
func (p *Page) Has(path string) bool {
	_, ok := p.find(path)
	return ok
}

func (p *Page) find(path string) (file, bool) {
	f, ok := p.files[cmp.Or(strings.TrimPrefix(path, "/"), "index.html")]
	return f, ok
}

// ServeHTTP serves GET and HEAD. The request's path is relative to the page: see http.StripPrefix.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p.find(r.URL.Path)
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a page can only be read", http.StatusMethodNotAllowed)
		return
	}
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("Cache-Control", "no-cache") // to be asked for again: a new version comes at once
	head.Set("ETag", f.etag)
	head.Set("Content-Security-Policy", policy(r.Host))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// plainHost is a Host header that can be written into a policy: a name or an IPv4 address, and a port.
// A policy knows no addresses of IPv6.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?$`)

// policy lets a page load its own files, and talk to the host that it came from, by WebSocket too:
// not every browser takes 'self' for ws and wss.
func policy(host string) string {
	sockets := ""
	if plainHost.MatchString(host) {
		sockets = fmt.Sprintf(" ws://%s wss://%[1]s", host)
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'" + sockets +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"; require-trusted-types-for 'script'; trusted-types 'none'" // text is never HTML or a script, of a dependency either
}
