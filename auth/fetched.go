package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	forcedEvery = 30 * time.Second // at least, between two fetches that tokens ask for
	maxWaiting  = 4096             // tokens of an issuer that wait for its keys
)

// Why a token does not wait for a fetch, or no longer.
var (
	errTooSoon = errors.New("the last fetch was a moment ago")
	errCrowd   = errors.New("too many tokens wait for them already")
	errStopped = errors.New("they are no longer fetched")
	errSlow    = errors.New("they are not fetched, or too slowly")
)

// fetchedKeys are the public keys of an issuer. Its one goroutine, run, does all fetches;
// candidates asks it for one, and waits, if a token needs a key that is not there.
type fetchedKeys struct {
	issuer     string
	algorithms []*algorithm
	stale      time.Duration // how long a set is used
	endpoint   *endpoint
	log        *slog.Logger
	metrics    fetchMetrics

	current atomic.Pointer[keySet] // nil: none was ever fetched

	wake     chan struct{} // of size 1: a fetch was asked for; never closed
	failures int           // in a row; run's own
	warned   []string      // about the current set; run's own

	mu      sync.Mutex // guards what follows; never held while waiting
	attempt *attempt   // under way, or asked for; nil: none
	forced  time.Time  // when a token last asked for one
	waiting int        // tokens that wait for attempt
	failure error      // of the last attempt; nil: it succeeded, or there was none
	stopped bool       // run has ended
}

// An attempt is one fetch.
type attempt struct {
	done chan struct{} // closed by run when it is over
}

func newFetchedKeys(o *Issuer, algorithms []*algorithm, common *fetching) *fetchedKeys {
	return &fetchedKeys{
		issuer:     o.Issuer,
		algorithms: algorithms,
		stale:      common.stale,
		endpoint:   newEndpoint(o, common.roots),
		log:        common.log.With(slog.String("issuer", o.Issuer)),
		metrics:    common.metrics.of(o.Issuer),
		wake:       make(chan struct{}, 1),
	}
}

// candidates waits for a fetch if the key is not there: for the one under way, or else for a new
// one if the last was asked for long enough ago. A flood of unknown kids so costs one fetch, and
// those who come after it are refused at once.
func (f *fetchedKeys) candidates(ctx context.Context, alg *algorithm, kid string, named bool) ([]key, error) {
	keys, err := f.find(alg, kid, named)
	// Twice, because the one under way may have been asked before the key was published.
	for range 2 {
		if !errors.Is(err, errUnknownKey) && !errors.Is(err, ErrUnavailable) {
			return keys, err
		}
		late := f.await(ctx)
		if errors.Is(late, errTooSoon) {
			break
		}
		if late != nil && errors.Is(err, errUnknownKey) {
			return nil, f.unavailable(late)
		}
		if late != nil {
			return nil, err
		}
		keys, err = f.find(alg, kid, named)
	}
	// It is unknown to a set that may be out of date: then nobody can say that it is bad.
	if failure := f.lastFailure(); failure != nil && errors.Is(err, errUnknownKey) {
		return nil, f.unavailable(failure)
	}
	return keys, err
}

// find looks among the keys at hand.
func (f *fetchedKeys) find(alg *algorithm, kid string, named bool) ([]key, error) {
	set := f.current.Load()
	if err := f.usable(set); err != nil {
		return nil, err
	}
	return set.find(alg, kid, named)
}

func (f *fetchedKeys) ready() error { return f.usable(f.current.Load()) }

// usable returns nil if set, which may be nil, can be used now.
func (f *fetchedKeys) usable(set *keySet) error {
	switch {
	case set == nil:
		return f.unavailable(cmp.Or(f.lastFailure(), errors.New("not fetched yet")))
	case time.Since(set.asked) >= f.stale:
		return f.unavailable(fmt.Errorf("they are older than %v: %w", f.stale, cmp.Or(f.lastFailure(), errors.New("not fetched since"))))
	case set.size == 0:
		return f.unavailable(errors.New("the key set has no key of use for the allowed algorithms"))
	}
	return nil
}

func (f *fetchedKeys) unavailable(why error) error {
	return fmt.Errorf("%w: keys of issuer %q: %w", ErrUnavailable, f.issuer, why)
}

func (f *fetchedKeys) lastFailure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// await returns nil when an attempt is over, or else why it does not wait for one any longer.
func (f *fetchedKeys) await(ctx context.Context) error {
	a, err := f.ask()
	if err != nil {
		return err
	}
	defer f.leave()
	late := time.NewTimer(fetchTimeout + time.Second)
	defer late.Stop()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return errSlow
	}
}

// ask returns the attempt to wait for, which must be left.
func (f *fetchedKeys) ask() (*attempt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.stopped:
		return nil, errStopped
	case f.waiting >= maxWaiting:
		return nil, errCrowd
	case f.attempt == nil && !f.forced.IsZero() && time.Since(f.forced) < forcedEvery:
		return nil, errTooSoon
	case f.attempt == nil:
		f.forced = time.Now()
		f.attempt = &attempt{done: make(chan struct{})}
		f.wake <- struct{}{} // there is room: begin has emptied it since it was last filled
	}
	f.waiting++
	return f.attempt, nil
}

func (f *fetchedKeys) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
}
