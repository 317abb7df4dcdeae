//go:build linux

package main

import (
	"flag"
	"strings"
	"testing"
	"time"
)

func TestOnlyARunAtDefaultFlagsIsWritten(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""}, {"-rounds 3", ""}, {"-write=false", ""}, {"-rounds 2", "rounds"}, {"-settle 6s", "settle"}, {"-peers floor", "peers"},
	} {
		flags := flag.NewFlagSet("x", flag.ContinueOnError)
		flags.Int("rounds", 3, "")
		flags.Duration("settle", 5*time.Second, "")
		flags.String("peers", "", "")
		writes(flags, "x.json")
		if err := flags.Parse(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		if got := changed(flags); got != c.want {
			t.Errorf("with %q: the flag that has not its default is %q, want %q", c.args, got, c.want)
		}
	}
}

func TestIdleCPUIsMeasuredOverWholeHeartbeatsAndAllConnections(t *testing.T) {
	for _, c := range []struct {
		calm calm
		want string // in the error; empty: none
	}{
		{calm{memory: 10, cpu: 20, period: 2 * heartbeat}, ""},
		{calm{memory: 10, cpu: 10, period: heartbeat}, ""},
		{calm{memory: 10, period: time.Second}, ""},
		{calm{memory: 10, cpu: 9, period: heartbeat}, "fewer -connections"},
		{calm{memory: 10, cpu: 10, period: heartbeat + time.Second}, "multiple of the heartbeat"},
		{calm{memory: 10, cpu: 10}, "multiple of the heartbeat"},
		{calm{}, "at least one"},
	} {
		err := c.calm.check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.calm, err, c.want)
		}
	}
}

func TestTheCellOfATailTellsWhatWasPublishedLate(t *testing.T) {
	rounds := []measurement{{P99: 15, Due: 600, Published: 600, Late: 2}, {P99: 16, Due: 600, Published: 590, Late: 10}, {P99: 17, Due: 600, Published: 600}}
	if got, want := tail(rounds), "p99 16 ms, 12 of 1,800 published late"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	if got, want := spread(ratios([]float64{2, 30, 4}, []float64{2, 20, 5})), "1.00 × (0.80 – 1.50)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := ratios([]float64{1, 2}, nil); got != nil {
		t.Errorf("beside nothing: got %v, want none", got)
	}
}
