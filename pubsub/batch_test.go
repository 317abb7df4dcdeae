package pubsub

import (
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestBatchIsSentByFlushWholeAndInOrder(t *testing.T) {
	s := redistest.Start(t)
	b, r := run(t, fast(s))
	subscribe(t, b, "a")
	batch, err := NewBatch(t.Context(), fast(s))
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for _, text := range []string{"1", "2", "3"} {
		if err := batch.Publish("a", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three messages", func() bool { return len(r.got("a")) == 3 })
	for i, want := range []string{"1", "2", "3"} {
		if got := r.got("a")[i]; got != want {
			t.Errorf("message %d is %q, want %q", i, got, want)
		}
	}
}

func TestBatchSaysThatRedisIsNotThere(t *testing.T) {
	if batch, err := NewBatch(t.Context(), Options{URL: "redis://127.0.0.1:1"}); err == nil {
		batch.Close()
		t.Error("connected to nothing")
	}
}
