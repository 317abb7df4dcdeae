package auth

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// revoking is a Verifier that asks whether ids are revoked, and what it asked.
func revoking(t *testing.T, answer func() (bool, error)) (*Verifier, *[][]string) {
	var asked [][]string
	return newVerifier(t, func(o *Options) {
		o.Revoked = func(_ context.Context, ids ...string) (bool, error) {
			asked = append(asked, ids)
			return answer()
		}
	}), &asked
}

func TestRevokedTokenIsRefused(t *testing.T) {
	v, asked := revoking(t, func() (bool, error) { return true, nil })
	for claims, want := range map[string][]string{
		`"jti":"j1","sub":"u42"`: {"j1", "u42"},
		`"jti":"j1"`:             {"j1"},
		`"sub":"u42","jti":""`:   {"u42"},
	} {
		*asked = nil
		refused(t, v, sign(secret32, hs256, with(claims)), reasonRevoked)
		if len(*asked) != 1 || !slices.Equal((*asked)[0], want) {
			t.Errorf("with %s: asked for %v, want %v once", claims, *asked, want)
		}
	}
}

func TestOnlyGoodTokensWithNamesAreAskedAbout(t *testing.T) {
	v, asked := revoking(t, func() (bool, error) { return false, nil })
	for _, token := range []string{
		sign(stranger, hs256, with(`"jti":"j1"`)),
		sign(secret32, hs256, `{"exp":1,"jti":"j1"}`),
		sign(secret32, hs256, with(`"jti":"j1","rooms":7`)),
	} {
		if _, err := v.Verify(t.Context(), token); err == nil {
			t.Error("accepted")
		}
	}
	accepted(t, v, sign(secret32, hs256, minimal)) // it has no name
	if len(*asked) != 0 {
		t.Errorf("asked for %v, want nothing", *asked)
	}
	accepted(t, v, sign(secret32, hs256, with(`"jti":"j1"`)))
	if len(*asked) != 1 {
		t.Errorf("asked %d times, want once", len(*asked))
	}
}

func TestUnknownWhetherRevokedMeansUnavailable(t *testing.T) {
	cause := errors.New("redis is away")
	v, _ := revoking(t, func() (bool, error) { return false, cause })
	g, err := v.Verify(t.Context(), sign(secret32, hs256, with(`"jti":"j1"`)))
	if _, refusal := errors.AsType[*Error](err); g != nil || !errors.Is(err, ErrUnavailable) || !errors.Is(err, cause) || refusal {
		t.Errorf("got %v, %v, want ErrUnavailable with its cause", g, err)
	}
}
