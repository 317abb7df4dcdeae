package main

import (
	"net/http"
	"strings"

	"github.com/roomgate/roomgate/config"
)

// playgroundPath is where serve has the page, if http.playground is on.
const playgroundPath = "/playground/"

// playgroundSettings are what the page must know to connect and to explain. Whoever gets the page
// gets them: there is no secret and no address in them.
type playgroundSettings struct {
	Path         string        `json:"path"`   // of the WebSocket endpoint
	Prefix       string        `json:"prefix"` // of a room's channel
	Sharded      bool          `json:"sharded"`
	RoomsClaim   string        `json:"roomsClaim"`
	PublishClaim string        `json:"publishClaim"`
	Granted      bool          `json:"granted"`        // rooms.publish grants rooms that a token does not name
	Demo         *demoSettings `json:"demo,omitempty"` // nil: this is no demo
}

// demoSettings are what only a demo tells.
type demoSettings struct {
	Room    string `json:"room"`
	Redis   string `json:"redis"`   // host:port
	Program string `json:"program"` // how to run this one
}

func newPlaygroundSettings(c *config.Config) playgroundSettings {
	return playgroundSettings{Path: c.HTTP.Path, Prefix: c.Redis.ChannelPrefix, Sharded: c.Redis.Sharded,
		RoomsClaim: c.Auth.RoomsClaim, PublishClaim: c.Auth.PublishClaim, Granted: len(c.Rooms.Publish) > 0}
}

// isForPlayground reports whether the page, or what it asks for, is what a request wants.
func isForPlayground(c *config.Config, path string) bool {
	return c.HTTP.Playground && strings.HasPrefix(path+"/", playgroundPath)
}

// servePlayground serves the page and its settings. It is stateless, and has no token to give.
func (s *server) servePlayground(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case strings.TrimSuffix(playgroundPath, "/"): // the page's files are beside it
		http.Redirect(w, r, playgroundPath, http.StatusTemporaryRedirect)
	case playgroundPath + "settings.json":
		writeJSON(w, http.StatusOK, newPlaygroundSettings(s.settings()))
	default:
		http.StripPrefix(playgroundPath, s.playground).ServeHTTP(w, r)
	}
}
