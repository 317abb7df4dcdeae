package gateway

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

const offerDeflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

func compressing(o *Options) { o.Compression = true }

func TestMessageIsCompressedForThoseThatAgreedAndPlainForOthers(t *testing.T) {
	w := newWorld(t, compressing)
	token := w.token("42")
	agreed := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token, offerDeflate)
	agreed.WantType("hello")
	if got, want := agreed.Response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate; client_no_context_takeover; server_no_context_takeover"; got != want {
		t.Errorf("agreed on %q, want %q", got, want)
	}
	plain := w.dialV1(token)
	raw := wstest.Dial(t, w.url, "Authorization: Bearer "+token, offerDeflate)
	w.await("three members", func() bool { return w.members("42") == 3 })

	text := `"` + strings.Repeat("many words, ", 200) + `"`
	w.publishText("42", "%s", text)
	for name, c := range map[string]*wstest.Client{"v1": agreed, "plain": plain, "raw": raw} {
		want := `{"type":"message","room":"42","data":` + text + `}`
		if name == "raw" {
			want = text
		}
		f := c.Next()
		if got := string(f.Payload); got != want || f.Compressed == (name == "plain") {
			t.Errorf("%s: got compressed %v, %.60s…, want %.60s…", name, f.Compressed, got, want)
		}
	}
}

func TestMessageBelowTheThresholdOrThatDoesNotShrinkIsSentAsItIs(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Compression, o.CompressionThreshold = true, 100 })
	c := wstest.Dial(t, w.url, "Authorization: Bearer "+w.token("42"), offerDeflate)
	w.await("a member", func() bool { return w.members("42") == 1 })
	noise := make([]byte, 500)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(noise) // never fails
	for _, test := range []struct {
		payload    string
		compressed bool
	}{{strings.Repeat("x", 99), false}, {strings.Repeat("x", 100), true}, {string(noise), false}} {
		w.Deliver("42", []byte(test.payload))
		if f := c.Next(); string(f.Payload) != test.payload || f.Compressed != test.compressed {
			t.Errorf("%d bytes came back as %d, compressed %v, want %v", len(test.payload), len(f.Payload), f.Compressed, test.compressed)
		}
	}
}

func TestCompressedMessageOfAClientIsRead(t *testing.T) {
	w := newWorld(t, compressing)
	c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+w.token("42"), offerDeflate)
	c.WantType("hello")
	c.Raw(wstest.AppendFrame(nil, 0xC1, wstest.Deflate([]byte(`{"type":"ping","ref":1}`))))
	c.WantText(`{"type":"pong","ref":1}`)
}

// A bomb is small on the wire and large when inflated.
func TestCompressedMessageIsMeasuredInflated(t *testing.T) {
	w := newWorld(t, compressing)
	c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+w.token("42"), offerDeflate)
	c.WantType("hello")
	bomb := wstest.Deflate(make([]byte, 64<<20))
	if len(bomb) > 100<<10 {
		t.Fatalf("the bomb has %d bytes: it must be within the limit before it is inflated", len(bomb))
	}
	c.Raw(wstest.AppendFrame(nil, 0xC2, bomb))
	c.WantClose(1009)
}

// Frames that are joined in one write are compressed one by one.
func FuzzDeflateFrames(f *testing.F) {
	f.Add([]byte("a"), []byte(strings.Repeat("b", 200)), 100)
	f.Add([]byte{}, bytes.Repeat([]byte{0, 0, 0xFF, 0xFF}, 20_000), 0)
	f.Fuzz(func(t *testing.T, first, second []byte, threshold int) {
		plain := appendFrame(appendFrame(nil, opText, first), opBinary, second)
		packed := deflateFrames(plain, threshold)
		if len(packed) > len(plain) {
			t.Errorf("%d bytes became %d", len(plain), len(packed))
		}
		for i, want := range [][]byte{first, second} {
			header, size := frameSize(packed)
			got := packed[header:size]
			if packed[0]&rsv1 != 0 {
				var err error
				if got, err = wstest.Inflate(got); err != nil {
					t.Fatal(err)
				}
				if len(want) < threshold {
					t.Errorf("frame %d of %d bytes is compressed, the threshold is %d", i, len(want), threshold)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("frame %d: got %d bytes, want %d", i, len(got), len(want))
			}
			packed = packed[size:]
		}
		if len(packed) > 0 {
			t.Errorf("%d bytes are left", len(packed))
		}
	})
}

// What compression costs and saves, on messages as an API sends them. The bytes are in the
// result; docs/benchmarks.md has the table.
func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{256, 512, 1 << 10, 4 << 10, 16 << 10} {
		frame := appendFrame(nil, opText, apiMessage(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			packed := 0
			for b.Loop() {
				packed = len(deflateFrames(frame, 0))
			}
			b.ReportMetric(float64(packed)/float64(len(frame)), "of-size")
		})
	}
}

// apiMessage is JSON of about size bytes, as it lists things in an API: keys repeat, values differ.
func apiMessage(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := []byte(`{"items":[`)
	for len(b) < size {
		b = fmt.Appendf(b, `{"id":%d,"user":"u%d","price":%.2f,"text":"%x","open":%v},`, rng.IntN(1e9), rng.IntN(1e5), rng.Float64()*1000, rng.Uint64(), rng.IntN(2) == 0)
	}
	return append(b[:size-2], "]}"...)
}
