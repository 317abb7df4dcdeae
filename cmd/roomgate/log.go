package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/config"
)

// newLogger returns the log that c asks for, and its level, which may be set at any time.
func newLogger(w io.Writer, c *config.Config) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(logLevel(c))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: withUnit}
	if c.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}

func logLevel(c *config.Config) (level slog.Level) {
	_ = level.UnmarshalText([]byte(c.Log.Level)) // config has checked it
	return level
}

// withUnit writes a duration as 1.5s. As a bare number, as slog has it in JSON, it could be anything.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// httpLog is where net/http complains. It names addresses and states, never a request's URL or
// headers; most of it is about clients that broke off.
func httpLog(to *slog.Logger) *log.Logger { return log.New(complaints{to}, "", 0) }

type complaints struct{ log *slog.Logger }

func (c complaints) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	switch {
	case bytes.HasPrefix(p, []byte("http: panic")):
		level = slog.LevelError
	case bytes.HasPrefix(p, []byte("http: Accept error")): // out of descriptors, above all
		level = slog.LevelWarn
	}
	c.log.LogAttrs(context.Background(), level, "http", slog.String("error", string(bytes.TrimSpace(p))))
	return len(p), nil
}

// go-redis writes to stderr by itself, in a form of its own. What matters of it, pubsub logs.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
