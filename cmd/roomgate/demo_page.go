package main

import (
	"net/http"
	"time"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/web"
)

// pageTokenTTL is the life of a token of the page, which gets a new one before it ends.
const pageTokenTTL = 15 * time.Minute

// A demoPage serves the demo's page, and the tokens with which it connects. It answers nobody who
// has reached this machine under a name that is not loopback's: a web page could give its own host
// our address, and would then be of the same origin (DNS rebinding).
type demoPage struct {
	config    *config.Config
	lines     demoLines
	page      *web.Page
	simulator *simulator
	next      http.Handler // the gateway
}

func (d demoPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isLoopback(r.Host) {
		forbid(w, "a demo is reached as localhost or 127.0.0.1 only")
		return
	}
	simulation, isSimulation := d.simulation(r)
	switch {
	case r.Header.Get("Upgrade") != "":
		d.next.ServeHTTP(w, r)
	case isSimulation:
		d.serveSimulation(w, r, simulation)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		d.next.ServeHTTP(w, r)
	case r.URL.Path == "/demo/token":
		d.serveToken(w, r)
	case r.URL.Path == "/settings.json":
		settings := newPlaygroundSettings(d.config)
		settings.Demo = &demoSettings{Room: demoRoom, Redis: d.lines.redis, Program: d.lines.program}
		writeJSON(w, http.StatusOK, settings)
	case d.page.Has(r.URL.Path):
		d.page.ServeHTTP(w, r)
	default:
		d.next.ServeHTTP(w, r)
	}
}

func forbid(w http.ResponseWriter, why string) {
	writeJSON(w, http.StatusForbidden, map[string]string{"error": why})
}

// isFromElsewhere reports whether a browser says that another site's page sends r. Whoever is no
// browser says nothing, and is on this machine.
func isFromElsewhere(r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	return site != "" && site != "same-origin" && site != "none" || origin != "" && origin != "http://"+r.Host
}

// serveToken gives the page a fresh token, and what a terminal needs to publish.
func (d demoPage) serveToken(w http.ResponseWriter, r *http.Request) {
	if isFromElsewhere(r) {
		forbid(w, "this token is for the demo's own page")
		return
	}
	d.answerToken(w, pageTokenTTL)
}

// answerToken answers with a token of the page's that is good for ttl.
func (d demoPage) answerToken(w http.ResponseWriter, ttl time.Duration) {
	token, err := mint(d.config, demoTicket("page", ttl))
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"token": token, "room": demoRoom, "path": d.lines.path, "redisCLI": d.lines.redisCLI(), "publish": d.lines.publish(),
	})
}
