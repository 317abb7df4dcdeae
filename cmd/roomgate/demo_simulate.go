package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// simulateHeader must be there on a request that breaks something. Another site's page cannot
	// send it without asking first (a CORS preflight), and gets no answer to that.
	simulateHeader = "X-Roomgate-Demo"

	shortTokenTTL = 15 * time.Second // of the token that is seen to end
	redisPause    = 2 * time.Second  // in which the demo's Redis is away

	floodMessages = 1024
	floodBytes    = 64 << 10 // of each: 64 MiB together, where a client's outbox has 1 MiB

	simulateBody = 1 << 10 // bytes a request may have
)

// A simulator breaks parts of a demo, one at a time, so that one sees what a client sees of it.
type simulator struct {
	cut     func(conn string) bool // drops a connection; false: there is none of that id
	redis   *demoRedis
	channel string     // of the demo's room
	busy    sync.Mutex // held while something is broken
}

// simulation returns the last part of the path of a request to break something.
func (d demoPage) simulation(r *http.Request) (string, bool) {
	name, ok := strings.CutPrefix(r.URL.Path, "/demo/simulate/")
	return name, ok && r.Method == http.MethodPost
}

// serveSimulation breaks what name says, for the demo's own page only.
func (d demoPage) serveSimulation(w http.ResponseWriter, r *http.Request, name string) {
	if isFromElsewhere(r) || r.Header.Get(simulateHeader) == "" {
		forbid(w, "this is for the demo's own page: it sends "+simulateHeader+": 1")
		return
	}
	if !d.simulator.busy.TryLock() {
		writeJSON(w, http.StatusConflict, map[string]string{"error": "something else is being simulated: wait until it is over"})
		return
	}
	defer d.simulator.busy.Unlock()
	switch name {
	case "cut":
		d.simulator.serveCut(w, r)
	case "expire":
		d.answerToken(w, shortTokenTTL)
	case "flood":
		d.simulator.serveFlood(w, r)
	case "redis":
		d.simulator.serveRedis(w, r)
	default:
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "what can be simulated is cut, expire, flood and redis"})
	}
}

// serveCut drops the connection that the request names, which is the page's own.
func (s *simulator) serveCut(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Conn string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, simulateBody)).Decode(&asked); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": `send {"conn":"…"}, the conn of hello`})
		return
	}
	if !s.cut(asked.Conn) {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "there is no such connection"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"conn": asked.Conn})
}

// serveFlood publishes to the room faster than a browser reads. It ends with the request.
func (s *simulator) serveFlood(w http.ResponseWriter, r *http.Request) {
	filler := strings.Repeat("x", floodBytes)
	sent := 0
	for ; sent < floodMessages && r.Context().Err() == nil; sent++ {
		if _, running := s.redis.publish(s.channel, fmt.Sprintf(`{"flood":%d,"filler":%q}`, sent+1, filler)); !running {
			break
		}
	}
	writeJSON(w, http.StatusOK, map[string]int{"messages": sent, "bytes": sent * floodBytes})
}

// serveRedis takes the demo's Redis away, and brings it back.
func (s *simulator) serveRedis(w http.ResponseWriter, r *http.Request) {
	if err := s.redis.pause(r.Context(), redisPause); err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]int64{"milliseconds": redisPause.Milliseconds()})
}
