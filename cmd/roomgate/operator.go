package main

import (
	"net"
	"net/http"
)

// handleOperator serves the operator's view, and what it reads.
func (s *server) handleOperator(mux *http.ServeMux) {
	mux.Handle("GET /", s.operator)
	mux.HandleFunc("GET /overview.json", s.serveOverview)
}

func (s *server) serveOverview(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	writeJSON(w, http.StatusOK, s.overview(r.Context()))
}

// refuseRebinding answers nobody who has reached loopback under a name that is not loopback's. A web page
// that the operator looks at could give its own host our address (DNS rebinding), be of the same
// origin then, and read users and rooms.
func refuseRebinding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if ok && isLoopback(local.String()) && !isLoopback(r.Host) {
			http.Error(w, "admin.addr is on loopback here: come as localhost or 127.0.0.1", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
