package load

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A history is the numbers of the messages that come to one client.
func historyOf(numbers ...uint32) (*run, track) {
	r, t := &run{marker: newMarker(), size: MinSize}, track{}
	for _, n := range numbers {
		b := newPayload(r.marker, MinSize)
		stamp{number: n, at: 1}.put(b)
		r.take(&t, 0, b, 2)
	}
	return r, t
}

func TestEveryHistoryIsCountedExactly(t *testing.T) {
	for _, c := range []struct {
		numbers                                    string
		delivered, missing, duplicated, outOfOrder int64
	}{
		{"0 1 2", 3, 0, 0, 0},
		{"0 2", 2, 1, 0, 0},                         // 1 is lost
		{"3", 1, 3, 0, 0},                           // so are the first
		{"0 2 1", 3, 0, 0, 1},                       // 1 is late, not lost
		{"0 2 1 1", 3, 0, 1, 1},                     // and then comes again
		{"0 0 1 1 1", 2, 0, 3, 0},                   //
		{"0 5 3 1 2 4", 6, 0, 0, 4},                 // the middle of a hole, its ends
		{"0 5 3 3", 3, 3, 1, 1},                     //
		{"0 2 4 6 5 1 3", 7, 0, 0, 3},               // several holes
		{"1 0 3 2 5 4", 6, 0, 0, 3},                 //
		{"0 1 2 0 1 2 9", 4, 6, 3, 0},               //
		{"4294967295", 1, 4294967295, 0, 0},         //
		{"0 4294967294 7", 3, 4294967293 - 1, 0, 1}, //
	} {
		var numbers []uint32
		for _, f := range strings.Fields(c.numbers) {
			var n uint32
			if _, err := fmt.Sscan(f, &n); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, n)
		}
		r, _ := historyOf(numbers...)
		if r.delivered != c.delivered || r.missing != c.missing || r.duplicated != c.duplicated || r.outOfOrder != c.outOfOrder {
			t.Errorf("%s: delivered %d, missing %d, duplicated %d, out of order %d; want %d, %d, %d, %d", c.numbers,
				r.delivered, r.missing, r.duplicated, r.outOfOrder, c.delivered, c.missing, c.duplicated, c.outOfOrder)
		}
		if r.latency.count != r.delivered {
			t.Errorf("%s: %d latencies of %d deliveries", c.numbers, r.latency.count, r.delivered)
		}
	}
}

func TestHolesOfAClientAreBounded(t *testing.T) {
	var numbers []uint32
	for n := range uint32(3 * holesMost) {
		numbers = append(numbers, 2*n)
	}
	r, track := historyOf(numbers...)
	if len(track.holes) != holesMost {
		t.Errorf("%d holes, want %d", len(track.holes), holesMost)
	}
	if want := int64(3*holesMost - 1); r.missing != want {
		t.Errorf("missing %d, want %d", r.missing, want)
	}
}

func TestAMessageIsFoundInAnyEnvelope(t *testing.T) {
	r := &run{marker: newMarker(), size: 90}
	b := newPayload(r.marker, r.size)
	number := uint32(0)
	for _, envelope := range []string{
		`%s`, `{"type":"message","room":"bench-0","data":%s}`, `{"a":%s,"b":1}`, `{"escaped":"\%s"}`, `{"none":1}`, "%s\n%s\n%s", `[%s,%s]`, ``,
		`{"prefix":"rgb1:","data":%s}`, `rgb1`, `rgb1:`, `x`,
	} {
		text := envelope
		count := strings.Count(envelope, "%s")
		for range count {
			stamp{number: number, at: 1}.put(b)
			number++
			payload := string(b)
			if strings.Contains(envelope, `\%s`) {
				payload = strings.Replace(payload[:len(payload)-1], `"`, `"`, 1) + `\"`
			}
			text = strings.Replace(text, "%s", payload, 1)
		}
		before := r.delivered
		var other track // a client whose last frame was another
		other.next = number - uint32(count)
		r.take(&other, 0, []byte(text), 2)
		if got := r.delivered - before; got != int64(count) {
			t.Errorf("%s: %d messages found, want %d", text, got, count)
		}
	}
	if r.missing+r.duplicated+r.strays != 0 {
		t.Errorf("%d missing, %d duplicated, %d strays; want none", r.missing, r.duplicated, r.strays)
	}
}

func TestMessagesOfAnotherRunOrRoomAreNotCounted(t *testing.T) {
	r, track := historyOf(0)
	b := newPayload(newMarker(), MinSize)
	stamp{number: 1}.put(b)
	if !r.take(&track, 0, b, 2) || r.delivered != 1 {
		t.Errorf("one of another run: %d delivered, want 1", r.delivered)
	}
	b = newPayload(r.marker, MinSize)
	stamp{room: 7, number: 1}.put(b)
	if r.take(&track, 0, b, 2); r.delivered != 1 || r.strays != 1 {
		t.Errorf("one of another room: %d delivered, %d strays, want 1 and 1", r.delivered, r.strays)
	}
	if r.take(&track, 0, []byte("rgb1:0123456789"), 2); r.delivered != 1 {
		t.Error("half a message was counted")
	}
}

func TestQuantilesAreWithinTwoPercent(t *testing.T) {
	for _, scale := range []int64{1, 1000, 1_000_000, 10_000_000} {
		var h histogram
		for i := int64(1); i <= 1000; i++ {
			h.add(i * scale)
		}
		q := h.quantiles()
		for _, c := range []struct {
			got  time.Duration
			want int64
		}{{q.P50, 500}, {q.P90, 900}, {q.P99, 990}, {q.P999, 999}, {q.Max, 1000}} {
			if ratio := float64(c.got) / float64(c.want*scale); ratio < .98 || ratio > 1.02 {
				t.Errorf("scale %d: got %d, want %d", scale, c.got, c.want*scale)
			}
		}
	}
	var h histogram
	h.add(-5)
	h.add(1 << 62)
	if q := h.quantiles(); q.P50 < 1<<40 || q.Max != 1<<62 {
		t.Errorf("of nothing and of a century: %+v", q)
	}
	if q := new(histogram).quantiles(); q != (Quantiles{}) {
		t.Errorf("of nothing: %+v", q)
	}
}

func TestStampsSurviveTheirText(t *testing.T) {
	for _, want := range []stamp{{}, {1, 2, 3}, {1<<32 - 1, 1<<32 - 1, 1<<63 - 1}} {
		b := newPayload(newMarker(), MinSize)
		want.put(b)
		got, ok := parseStamp(b[1+markerLen:])
		if !ok || got != want {
			t.Errorf("got %+v, %v; want %+v", got, ok, want)
		}
		for _, i := range []int{0, 9, 33} {
			bad := bytes.Clone(b)
			bad[1+markerLen+i] = 'G'
			if _, ok := parseStamp(bad[1+markerLen:]); ok {
				t.Errorf("%s was taken for a stamp", bad)
			}
		}
	}
}

func TestAFrameThatIsCountedAllocatesNothing(t *testing.T) {
	cl := &client{ready: true}
	c := &Clients{clients: []*client{cl}, run: &run{marker: newMarker(), size: 128}}
	payload := newPayload(c.run.marker, 128)
	stamp{at: 1}.put(payload)
	message := frame(opText, slices.Concat([]byte(`{"type":"message","room":"bench-0","data":`), payload, []byte("}")))
	for what, read := range map[string][]byte{
		"a message": message, "a message twice": slices.Concat(message, message), "a ping": frame(opPing, []byte("there?")),
		"the end of one and the beginning of the next": slices.Concat(message[100:], message[:100]),
	} {
		cl.stream, cl.track = stream{carry: make([]byte, 0, keepMost)}, track{}
		if len(message) > keepMost {
			t.Fatal("what a client keeps is not enough for a message")
		}
		if read[0] != message[0] && read[0] != finBit|opPing {
			cl.stream.carry = append(cl.stream.carry, message[:100]...)
		}
		out := make([]byte, 0, 100)
		n := testing.AllocsPerRun(100, func() {
			cl.track.next = 0
			if _, err := c.take(cl, read, 1000, out); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations, want 0", what, n)
		}
	}
	if c.run.delivered == 0 || c.answered == 0 {
		t.Errorf("%d delivered, %d pings answered: nothing was measured", c.run.delivered, c.answered)
	}
}

// BenchmarkFrame takes frames of 128-byte messages in roomgate.v1, as many as a read brings. It prints the time of one.
//
//	go test -run '^$' -bench Frame ./internal/load
func BenchmarkFrame(b *testing.B) {
	for _, burst := range []int{1, 16, 1024} {
		b.Run(fmt.Sprintf("%d_a_read", burst), func(b *testing.B) {
			cl := &client{ready: true}
			c := &Clients{clients: []*client{cl}, run: &run{marker: newMarker(), size: 128}}
			payload := newPayload(c.run.marker, 128)
			frames := make([][]byte, burst)
			for i := range frames {
				stamp{number: uint32(i), at: int64(i)}.put(payload)
				frames[i] = frame(opText, slices.Concat([]byte(`{"type":"message","room":"bench-0","data":`), payload, []byte("}")))
			}
			read := slices.Concat(frames...)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				cl.track.next = 0
				if _, err := c.take(cl, read, 1000, nil); err != nil {
					b.Fatal(err)
				}
				n += burst
			}
			if c.run.delivered != int64(n) {
				b.Fatalf("%d delivered of %d", c.run.delivered, n)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(n), "ns/frame")
		})
	}
}
