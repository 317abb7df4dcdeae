package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestFloodOfUnknownKidsCostsOneFetch(t *testing.T) {
	p := newIDP(t, jwkOf(p256(), `"kid":"k"`))
	v := running(t, p.options())
	before := p.fetches.Load()
	good := tokenBy("ES256", "k")
	kid, rest := splitKid(tokenBy("ES256", "00000000"))

	start := time.Now()
	var goodOnes, flood sync.WaitGroup
	var refusals, verified atomic.Int64
	stop := make(chan struct{})
	goodOnes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := v.Verify(t.Context(), good); err != nil {
				t.Errorf("a good token: %v", err)
				return
			}
			verified.Add(1)
		}
	})
	const each, floods = 1250, 8
	for n := range floods {
		flood.Go(func() {
			for i := range each {
				_, err := v.Verify(t.Context(), kid(fmt.Sprintf("%02d%06d", n, i))+rest)
				if refusal, ok := errors.AsType[*Error](err); ok && refusal.Reason == reasonUnknownKey {
					refusals.Add(1)
				} else {
					t.Errorf("unknown kid: %v", err)
				}
			}
		})
	}
	flood.Wait()
	close(stop)
	goodOnes.Wait()
	t.Logf("%d unknown kids in %v, %d good tokens meanwhile", each*floods, time.Since(start), verified.Load())

	if got := p.fetches.Load() - before; got > 1 {
		t.Errorf("%d fetches, want at most 1", got)
	}
	if got := refusals.Load(); got != each*floods {
		t.Errorf("%d refusals, want %d", got, each*floods)
	}
	if verified.Load() == 0 {
		t.Error("no good token was verified meanwhile")
	}
}

// splitKid returns the header of a token, for any kid of eight digits, and the rest of the token.
func splitKid(token string) (header func(kid string) string, rest string) {
	header = func(kid string) string { return encode(fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid)) }
	return header, token[len(header("00000000")):]
}

func TestRotationRefusesNobody(t *testing.T) {
	p := newIDP(t, jwkOf(p256(), `"kid":"old"`))
	v := running(t, p.options())
	before := p.fetches.Load()
	old := tokenBy("ES256", "old")
	fresh := signKey("ES384", p384(), `{"alg":"ES384","kid":"new"}`, claimsOf("u42"))

	// Tokens of the new key come right after it is published, before any refresh is due.
	p.publish(jwkOf(p256(), `"kid":"old"`), jwkOf(p384(), `"kid":"new"`))
	var clients sync.WaitGroup
	for i := range 1000 {
		token := old
		if i%2 == 1 {
			token = fresh
		}
		clients.Go(func() { accepted(t, v, token) })
	}
	clients.Wait()
	if got := p.fetches.Load() - before; got != 1 {
		t.Errorf("%d fetches, want 1", got)
	}
	p.publish(jwkOf(p384(), `"kid":"new"`))
	accepted(t, v, old, fresh) // until the next refresh
}

// inFakeTime runs test with a Verifier whose keys answer serves, from memory.
func inFakeTime(t *testing.T, answer func(ctx context.Context) (string, error), test func(t *testing.T, v *Verifier)) {
	synctest.Test(t, func(t *testing.T) {
		v, err := New(Options{Issuers: []Issuer{{Issuer: "https://idp.example", AnyAudience: true, JWKSURL: "https://idp.example/keys"}}})
		if err != nil {
			t.Fatal(err)
		}
		fetchedOf(v).endpoint.client.Transport = inMemory(answer)
		ctx, cancel := context.WithCancel(t.Context())
		var own sync.WaitGroup
		own.Go(func() { _ = v.Run(ctx) })
		test(t, v)
		cancel()
		own.Wait()
	})
}

func fetchedOf(v *Verifier) *fetchedKeys { return v.issuers[0].keys.(*fetchedKeys) }

func TestOutageRefusesNobodyUntilKeysAreStale(t *testing.T) {
	var down atomic.Bool
	var attempts []time.Time
	set := jwks(jwkOf(p256(), `"kid":"k"`))
	token, unknown := tokenBy("ES256", "k"), tokenBy("ES256", "x")
	inFakeTime(t, func(context.Context) (string, error) {
		attempts = append(attempts, time.Now())
		if down.Load() {
			return "", errors.New("connection refused")
		}
		return set, nil
	}, func(t *testing.T, v *Verifier) {
		fetched := time.Now() // in fake time, fetching takes none
		synctest.Wait()
		down.Store(true)
		for range 600 {
			time.Sleep(time.Second)
			accepted(t, v, token)
		}
		if err := v.Ready(); err != nil {
			t.Errorf("after ten minutes: not ready: %v", err)
		}
		if _, err := v.Verify(t.Context(), unknown); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a kid that may be new: got %v, want ErrUnavailable", err)
		}

		time.Sleep(time.Until(fetched.Add(defaultStale - time.Nanosecond)))
		accepted(t, v, token)
		time.Sleep(time.Nanosecond)
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
			t.Errorf("with stale keys: got %v, want ErrUnavailable", err)
		}
		if v.Ready() == nil {
			t.Error("ready, with stale keys")
		}

		down.Store(false)
		time.Sleep(maxBackoff)
		accepted(t, v, token)
		if err := v.Ready(); err != nil {
			t.Errorf("not ready after the outage: %v", err)
		}
	})

	// The failures began with the first refresh. Each pause is half of its backoff, or more.
	pauses := make([]time.Duration, 0, len(attempts))
	for i := 1; i < len(attempts)-1; i++ {
		pauses = append(pauses, attempts[i+1].Sub(attempts[i]))
	}
	for i, least := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second} {
		if got := pauses[i]; got < least || got > 2*least {
			t.Errorf("pause %d is %v, want %v to %v", i, got, least, 2*least)
		}
	}
}

func TestEndpointDownAtStartMeansNotReadyAndTryingOn(t *testing.T) {
	var up atomic.Bool
	inFakeTime(t, func(context.Context) (string, error) {
		if !up.Load() {
			return "", errors.New("connection refused")
		}
		return jwks(jwkOf(p256(), `"kid":"k"`)), nil
	}, func(t *testing.T, v *Verifier) {
		token := tokenBy("ES256", "k")
		for range 120 {
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v, want ErrUnavailable", err)
			}
			if v.Ready() == nil {
				t.Fatal("ready without keys")
			}
			time.Sleep(time.Second)
		}
		up.Store(true)
		time.Sleep(maxBackoff)
		accepted(t, v, token)
	})
}

func TestFirstTokensWaitForTheFirstFetch(t *testing.T) {
	inFakeTime(t, func(context.Context) (string, error) {
		time.Sleep(time.Second)
		return jwks(jwkOf(p256(), `"kid":"k"`)), nil
	}, func(t *testing.T, v *Verifier) {
		accepted(t, v, tokenBy("ES256", "k"))
	})
}

func TestKeysAreRefreshedEveryFiveMinutes(t *testing.T) {
	var fetches atomic.Int64
	inFakeTime(t, func(context.Context) (string, error) {
		fetches.Add(1)
		return jwks(jwkOf(p256(), `"kid":"k"`)), nil
	}, func(t *testing.T, _ *Verifier) {
		time.Sleep(10 * time.Hour)
		if got := fetches.Load(); got < 110 || got > 134 {
			t.Errorf("%d fetches in ten hours, want 120 ± a tenth", got)
		}
	})
}

func TestWithdrawnKeyIsRefusedAfterTheNextRefresh(t *testing.T) {
	var set atomic.Value
	set.Store(jwks(jwkOf(p256(), `"kid":"k"`)))
	inFakeTime(t, func(context.Context) (string, error) { return set.Load().(string), nil }, func(t *testing.T, v *Verifier) {
		accepted(t, v, tokenBy("ES256", "k"))
		set.Store(jwks(jwkOf(p384(), `"kid":"l"`)))
		time.Sleep(6 * time.Minute)
		refused(t, v, tokenBy("ES256", "k"), reasonUnknownKey)
	})
}

func TestUnknownKidsForceAFetchEveryThirtySecondsAtMost(t *testing.T) {
	var fetches atomic.Int64
	inFakeTime(t, func(context.Context) (string, error) {
		fetches.Add(1)
		return jwks(jwkOf(p256(), `"kid":"k"`)), nil
	}, func(t *testing.T, v *Verifier) {
		accepted(t, v, tokenBy("ES256", "k"))
		unknown := tokenBy("ES256", "x")
		for range 4 * 60 * 10 { // for four minutes: no refresh is due
			refused(t, v, unknown, reasonUnknownKey)
			time.Sleep(100 * time.Millisecond)
		}
		if got := fetches.Load(); got != 8 && got != 9 { // 9 if the first was not the first token's
			t.Errorf("%d fetches, want 8 or 9", got)
		}
	})
}

func TestFetchUnderWayMayBeTooOldForAKid(t *testing.T) {
	var fetches atomic.Int64
	inFakeTime(t, func(context.Context) (string, error) {
		n := fetches.Add(1)
		time.Sleep(time.Second)
		if n == 1 {
			return jwks(jwkOf(p384(), `"kid":"old"`)), nil
		}
		return jwks(jwkOf(p256(), `"kid":"k"`)), nil
	}, func(t *testing.T, v *Verifier) {
		time.Sleep(500 * time.Millisecond) // the first fetch has the old set already
		accepted(t, v, tokenBy("ES256", "k"))
	})
}

func TestWaitingForKeysIsBounded(t *testing.T) {
	inFakeTime(t, func(ctx context.Context) (string, error) {
		<-ctx.Done() // a server that never answers
		return "", ctx.Err()
	}, func(t *testing.T, v *Verifier) {
		token := tokenBy("ES256", "k")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, token); !errors.Is(err, ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want ErrUnavailable when its context ends, after 1s", err, time.Since(start))
		}

		var waiting sync.WaitGroup
		var answers atomic.Int64
		for range maxWaiting + 500 {
			waiting.Go(func() {
				if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
				answers.Add(1)
			})
		}
		synctest.Wait()
		if got := answers.Load(); got != 500 {
			t.Errorf("%d tokens answered at once, want 500, while %d wait", got, maxWaiting)
		}
		waiting.Wait()
		if got, most := time.Since(start), 3*fetchTimeout; got > most {
			t.Errorf("the last answer came after %v, want at most %v", got, most)
		}
	})
}

func TestWithoutRunVerifyDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := New(Options{Issuers: []Issuer{{JWKSURL: "https://idp.example/keys", AnyAudience: true}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), tokenBy("ES256", "k")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

func TestEndOfRunLetsGoOfWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := New(Options{Issuers: []Issuer{{JWKSURL: "https://idp.example/keys", AnyAudience: true}}})
		if err != nil {
			t.Fatal(err)
		}
		fetchedOf(v).endpoint.client.Transport = inMemory(func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		var own sync.WaitGroup
		own.Go(func() { _ = v.Run(ctx) })
		own.Go(func() {
			if _, err := v.Verify(t.Context(), tokenBy("ES256", "k")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
		synctest.Wait()
		start := time.Now()
		cancel()
		own.Wait()
		if got := time.Since(start); got != 0 {
			t.Errorf("it took %v, want none", got)
		}
		if err := v.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}
