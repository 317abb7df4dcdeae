package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	tailDialTime  = 15 * time.Second
	tailPingEvery = 25 * time.Second // to find out that the server is gone
	tailPingTime  = 10 * time.Second
	tailBodyMost  = 4 << 10 // of a refusal that is told
)

// A tail is a client that prints what it is sent.
type tail struct {
	url           string
	format        string // v1 or raw
	protocol      string // the subprotocol that format is
	token         func() (string, error)
	bySubprotocol bool // the token goes there, not into the Authorization header
	count         int  // messages that are still to come; 0: without end
	out           io.Writer
	tell          func(format string, args ...any) // what is no frame
}

// errCounted ends a tail that has printed all it was asked for.
var errCounted = errors.New("all messages have come")

// run connects until it has had its count, should not connect again, or ctx ends.
func (t *tail) run(ctx context.Context) error {
	var b backoff
	for {
		e, err := t.session(ctx)
		switch {
		case errors.Is(err, errCounted):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
		pause, again := b.pause(e)
		if !again {
			return errors.New(e.text)
		}
		t.tell("%s; connecting again in %v\n", e.text, pause.Round(time.Millisecond))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// session is one connection, from dialling to its end. An error means that there is no use in another.
func (t *tail) session(ctx context.Context) (ended, error) {
	ws, e, err := t.dial(ctx)
	if ws == nil {
		return e, err
	}
	defer func() { _ = ws.CloseNow() }() // whatever of it is left
	t.tell("connected to %s\n", t.url)
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pinging := make(chan struct{})
	defer func() { cancel(); <-pinging }()
	go func() { // ends with ctx, or with the connection
		defer close(pinging)
		ping(ctx, ws)
	}()

	after := time.Duration(-1)
	for {
		kind, frame, err := ws.Read(ctx)
		if err != nil {
			e := endedBy(err)
			e.after, e.lived = after, time.Since(began)
			return e, nil
		}
		own := t.parse(kind, frame)
		if own.Type == "bye" {
			after = time.Duration(own.After) * time.Millisecond
		}
		if err := t.print(frame); err != nil {
			return ended{}, err
		}
		if own.Type == "message" && t.count > 0 {
			if t.count--; t.count == 0 {
				_ = ws.Close(websocket.StatusNormalClosure, "") // the server may be gone already
				return ended{}, errCounted
			}
		}
	}
}

// dial connects. Without a connection it says why.
func (t *tail) dial(ctx context.Context) (*websocket.Conn, ended, error) {
	token, err := t.token()
	if err != nil {
		return nil, ended{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, tailDialTime)
	defer cancel()
	o := &websocket.DialOptions{Subprotocols: []string{t.protocol}, HTTPHeader: http.Header{}}
	if t.bySubprotocol {
		o.Subprotocols = append(o.Subprotocols, "bearer."+token)
	} else {
		o.HTTPHeader.Set("Authorization", "Bearer "+token)
	}
	ws, response, err := websocket.Dial(ctx, t.url, o) //nolint:bodyclose // the library has replaced it by what it read
	if err == nil {
		ws.SetReadLimit(-1) // a backend's message may be of any size
		return ws, ended{}, nil
	}
	e := ended{text: "no connection: " + err.Error(), after: -1}
	if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		e.status = response.StatusCode
		e.text = "refused: " + response.Status + refusalText(response.Body)
		if s, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
			e.after = time.Duration(s) * time.Second
		}
	}
	return nil, e, nil
}

// refusalText is what roomgate says in the body of a refusal.
func refusalText(body io.Reader) string {
	var said struct{ Error string }
	if b, err := io.ReadAll(io.LimitReader(body, tailBodyMost)); err != nil || json.Unmarshal(b, &said) != nil {
		return ""
	}
	return ": " + said.Error
}

// endedBy is the end that an error of Read stands for.
func endedBy(err error) ended {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return ended{text: "connection lost: " + err.Error()}
	}
	return ended{code: int(closed.Code), text: strings.TrimSuffix(fmt.Sprintf("closed with %d: %s", closed.Code, closed.Reason), ": ")}
}

// ping finds out that the server is gone, which a client that only reads would not.
func ping(ctx context.Context, ws *websocket.Conn) {
	tick := time.NewTicker(tailPingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		answer, cancel := context.WithTimeout(ctx, tailPingTime)
		err := ws.Ping(answer)
		cancel()
		if err != nil {
			_ = ws.CloseNow() // wakes the reader, who tells
			return
		}
	}
}

// An ownFrame is what tail looks at in a frame of roomgate.v1.
type ownFrame struct {
	Type  string
	After int64
}

// parse returns what frame is. In the raw format each is a message.
func (t *tail) parse(kind websocket.MessageType, frame []byte) (f ownFrame) {
	if t.format == "raw" || kind != websocket.MessageText || json.Unmarshal(frame, &f) != nil {
		return ownFrame{Type: "message"}
	}
	return f
}

// print writes frame on one line. A payload alone is written as it is.
func (t *tail) print(frame []byte) error {
	line := bytes.NewBuffer(make([]byte, 0, len(frame)+1))
	if t.format == "raw" || json.Compact(line, frame) != nil {
		line.Reset()
		line.Write(frame)
	}
	line.WriteByte('\n')
	_, err := t.out.Write(line.Bytes())
	return err
}
