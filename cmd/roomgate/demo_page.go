package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roomgate/roomgate/config"
)

// pageTokenTTL is the life of a token of the page, which gets a new one before it ends.
const pageTokenTTL = 15 * time.Minute

//go:embed demo.html
var demoHTML string

// demoHashes are the sources of script and style that the page's policy allows: its own.
var demoHashes = [2]string{inlineHash("script"), inlineHash("style")}

// inlineHash returns the CSP source of the one element of that name in the page.
func inlineHash(element string) string {
	_, rest, _ := strings.Cut(demoHTML, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A demoPage serves the demo's page, and the tokens with which it connects. It answers nobody who
// has reached this machine under a name that is not loopback's: a web page could give its own host
// our address, and would then be of the same origin (DNS rebinding).
type demoPage struct {
	config *config.Config
	lines  demoLines
	next   http.Handler // the gateway
}

func newDemoPage(c *config.Config, lines demoLines, next http.Handler) http.Handler {
	return demoPage{config: c, lines: lines, next: next}
}

func (d demoPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isLoopback(r.Host) {
		writeJSON(w, http.StatusForbidden, map[string]string{"error": "a demo is reached as localhost or 127.0.0.1 only"})
		return
	}
	switch {
	case r.Method != http.MethodGet || r.Header.Get("Upgrade") != "":
		d.next.ServeHTTP(w, r)
	case r.URL.Path == "/":
		d.servePage(w, r)
	case r.URL.Path == "/demo/token":
		d.serveToken(w, r)
	default:
		d.next.ServeHTTP(w, r)
	}
}

func (d demoPage) servePage(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; img-src data:; "+
		"connect-src 'self' ws://%s; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		demoHashes[0], demoHashes[1], r.Host)) // it is loopback's name and a port
	_, _ = w.Write([]byte(demoHTML)) // the browser may be gone
}

// serveToken gives the page a fresh token, and what it shows.
func (d demoPage) serveToken(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		writeJSON(w, http.StatusForbidden, map[string]string{"error": "this token is for the demo's own page"})
		return
	}
	token, err := mint(d.config, demoTicket("page", pageTokenTTL))
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"token": token, "room": demoRoom, "path": d.lines.path, "redisCLI": d.lines.redisCLI(), "publish": d.lines.publish(),
	})
}
