package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	checkTime = 10 * time.Second       // what /debug/check may take
	readyTime = 500 * time.Millisecond // what /readyz may: less than probes wait
)

// adminHandler serves admin.addr.
func (s *server) adminHandler() http.Handler {
	probes := http.NewServeMux() // for whoever asks: they tell little, and probes come under any name
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	probes.HandleFunc("GET /readyz", s.serveReady)

	mux := http.NewServeMux()
	s.handleOperator(mux)
	mux.HandleFunc("GET /debug/check", s.serveCheck)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{Registry: s.metrics}))

	// Not /debug/pprof/cmdline: flags may hold secrets.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	probes.Handle("/", refuseRebinding(mux))
	return probes
}

func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	if err := s.readySoon(r.Context()); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reason": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"ready": true})
}

// readySoon is ready for who does not wait longer than a probe.
func (s *server) readySoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	return s.ready(ctx)
}

func (s *server) serveCheck(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	if err := errors.Join(s.gateway.Check(ctx), s.broker.Check()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// newRegistry returns a registry with what is known of the process.
func newRegistry() *prometheus.Registry {
	b := readBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "roomgate_build_info",
		Help: "1, with what this binary was made of.",
		ConstLabels: prometheus.Labels{
			"version": b.version, "revision": b.revision, "go_version": runtime.Version(),
		},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
