package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/config"
)

// certificateEvery is how often the files of a certificate are looked at.
const certificateEvery = 10 * time.Second

// certificates are what http.addr shows of itself by TLS, and whom it lets in. Their files are
// read again when what they hold changes, whether they were written, renamed, or stand behind a
// symbolic link that now leads elsewhere, as Kubernetes does it.
type certificates struct {
	certFile, keyFile, caFile string // the last may be empty
	every                     time.Duration
	log                       *slog.Logger
	expiry                    prometheus.Gauge
	current                   atomic.Pointer[tlsState]

	// Of run's goroutine:
	trouble string // what was wrong when the files were last looked at; empty: nothing
	told    bool   // trouble was logged
}

// A tlsState is what the files held, and what was made of it. It is not changed.
type tlsState struct {
	files  [3][]byte
	config *tls.Config
	until  time.Time // the certificate is good
}

// newCertificates reads the files that c names; nil if it names none.
func newCertificates(c *config.Config, log *slog.Logger, metrics prometheus.Registerer) (*certificates, error) {
	if c.HTTP.TLSCertFile == "" {
		return nil, nil
	}
	k := &certificates{
		certFile: c.HTTP.TLSCertFile, keyFile: c.HTTP.TLSKeyFile, caFile: c.HTTP.TLSClientCA,
		every: certificateEvery, log: log,
		expiry: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "roomgate_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate of http.addr ends, as a Unix time.",
		}),
	}
	state, err := k.read()
	if err != nil {
		return nil, err
	}
	k.use(state)
	return k, metrics.Register(k.expiry)
}

// serverConfig returns what every connection begins with. The certificate is that of the moment;
// session tickets stay good across a change, and are verified again against the authorities then.
func (k *certificates) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.current.Load().config, nil },
	}
}

// read returns what the files hold now. Its error names the setting.
func (k *certificates) read() (*tlsState, error) {
	s := &tlsState{config: &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // a connection of HTTP/2 cannot be taken over for a WebSocket
	}}
	for i, file := range []struct{ setting, path string }{
		{"http.tls_cert_file", k.certFile}, {"http.tls_key_file", k.keyFile}, {"http.tls_client_ca_file", k.caFile},
	} {
		if file.path == "" {
			continue
		}
		content, err := os.ReadFile(file.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.setting, err)
		}
		s.files[i] = content
	}
	pair, err := tls.X509KeyPair(s.files[0], s.files[1])
	if err != nil {
		return nil, fmt.Errorf("http.tls_cert_file and http.tls_key_file: %w", err)
	}
	s.config.Certificates, s.until = []tls.Certificate{pair}, pair.Leaf.NotAfter
	if k.caFile != "" {
		s.config.ClientAuth, s.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !s.config.ClientCAs.AppendCertsFromPEM(s.files[2]) {
			return nil, errors.New("http.tls_client_ca_file: no certificate in PEM form is in it")
		}
	}
	return s, nil
}

// use makes s what the next connection gets.
func (k *certificates) use(s *tlsState) {
	k.current.Store(s)
	k.expiry.Set(float64(s.until.Unix()))
	if time.Until(s.until) < 0 {
		k.log.Warn("the certificate of http.tls_cert_file has expired", slog.Time("until", s.until))
	}
}

// run looks at the files until ctx ends.
func (k *certificates) run(ctx context.Context) error {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.refresh()
		}
	}
}

// refresh takes over what the files hold, if that has changed and is good; what was good before
// stays otherwise. What is wrong is told once, and only if it lasts: whoever writes two files
// writes one first.
func (k *certificates) refresh() {
	s, err := k.read()
	switch {
	case err == nil && s.same(k.current.Load()):
		k.trouble, k.told = "", false
	case err == nil:
		k.trouble, k.told = "", false
		k.use(s)
		k.log.Info("the certificate of http.addr was read again", slog.Time("until", s.until))
	case err.Error() != k.trouble:
		k.trouble, k.told = err.Error(), false
	case !k.told:
		k.told = true
		k.log.Error("the new certificate of http.addr is not good: the old one stays", slog.String("error", k.trouble))
	}
}

func (s *tlsState) same(other *tlsState) bool {
	for i := range s.files {
		if !bytes.Equal(s.files[i], other.files[i]) {
			return false
		}
	}
	return true
}
