package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

const (
	barWidth     = 24
	quietEvery   = 5 * time.Second // between two lines, where no terminal can take one back
	clearLine    = "\r\x1b[K"
	connectTitle = "connecting"
)

// A benchProgress tells how far a bench is: on a terminal in one line that changes, else now and then
// in a new one. It is for one goroutine.
type benchProgress struct {
	w        io.Writer
	terminal bool
	began    time.Time
	told     time.Time

	at        time.Time // of the last progress
	published int64     // by then
	delivered int64
}

func newBenchProgress(w io.Writer) *benchProgress {
	now := time.Now()
	return &benchProgress{w: w, terminal: isTerminal(w), began: now, told: now}
}

// connecting tells of clients that are being connected.
func (p *benchProgress) connecting(connected, total int) {
	rate := float64(connected) / time.Since(p.began).Seconds()
	p.tell(connectTitle, float64(connected)/float64(total), fmt.Sprintf("%s of %s  %s/s", thousands(int64(connected)), thousands(int64(total)), thousands(int64(rate))))
}

// running tells of messages.
func (p *benchProgress) running(now load.Progress) {
	title := "counting"
	if now.Warming {
		title = "warming up"
	}
	if now.Published < p.published || now.Delivered < p.delivered { // another part has begun
		p.published, p.delivered = 0, 0
	}
	passed := time.Since(p.at).Seconds()
	if p.at.IsZero() {
		passed = now.Elapsed.Seconds()
	}
	text := fmt.Sprintf("%s msg/s  %s deliveries/s  p50 %s  p99 %s  missing %s",
		thousands(int64(float64(now.Published-p.published)/passed)), thousands(int64(float64(now.Delivered-p.delivered)/passed)),
		short(now.Latency.P50), short(now.Latency.P99), thousands(now.Missing))
	if now.Closed > 0 {
		text += "  closed " + thousands(now.Closed)
	}
	p.at, p.published, p.delivered = time.Now(), now.Published, now.Delivered
	p.tell(title, now.Elapsed.Seconds()/now.Duration.Seconds(), text)
}

func (p *benchProgress) tell(title string, done float64, text string) {
	if p.terminal {
		filled := int(min(max(done, 0), 1) * barWidth)
		_, _ = fmt.Fprintf(p.w, "%s%-10s [%s%s]  %s", clearLine, title, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), text)
		return
	}
	if time.Since(p.told) >= quietEvery {
		p.told = time.Now()
		_, _ = fmt.Fprintf(p.w, "%s %.0f %%  %s\n", title, 100*min(max(done, 0), 1), text) // nobody may be listening
	}
}

// clear makes room for what is printed next.
func (p *benchProgress) clear() {
	if p.terminal {
		_, _ = io.WriteString(p.w, clearLine)
	}
}

// thousands writes n with a comma after each three digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short writes d with about three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
