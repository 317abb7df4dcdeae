package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Explanation says, step by step, what became of a token.
type Explanation struct {
	Steps   []Step
	Granted bool // Verify would return a Grant, and it allows to join the room, if one was asked for
}

// A Step is one check of a token, or, with the outcome "note", a consequence.
//
// Outcome is "ok", "refused", "unavailable" (it cannot be checked now), "skipped" (an earlier
// step has left nothing to check) or "note". Words are for an operator. They quote names, dates
// and rooms of the token, but never the token, its signature or a secret.
type Step struct{ Name, Outcome, Words string }

const (
	outcomeOK          = "ok"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
	outcomeSkipped     = "skipped"
	outcomeNote        = "note"
)

const notBelieved = " (not believed: the signature is not verified)"

// Explain does what Verify does, and tells of it. It goes on after a refusal where there is
// still something to tell. room "" means that none is asked for.
func (v *Verifier) Explain(ctx context.Context, token, room string) Explanation {
	x := exam{v: v, token: token, now: time.Now()}
	var e Explanation
	for i := range checks {
		c := &checks[i]
		if c.ready != nil && !c.ready(&x) {
			e.add(c.name, outcomeSkipped, "what was refused before leaves nothing to check")
			continue
		}
		err := c.run(&x, ctx)
		e.add(c.name, outcomeOf(err), c.tell(&x, err))
		x.refused = x.refused || err != nil
		if err != nil && c.end {
			return e
		}
	}
	e.Granted = !x.refused
	if x.grant == nil {
		return e
	}
	e.add("joins", outcomeNote, x.joinsWords())
	e.add("publishes", outcomeNote, x.publishesWords())
	if room != "" {
		allowed := x.grant.MayJoin(room)
		outcome := outcomeRefused
		if allowed {
			outcome = outcomeOK
		}
		e.add("room", outcome, x.roomWords(room)+x.doubt())
		e.Granted = e.Granted && allowed
	}
	return e
}

func (e *Explanation) add(name, outcome, words string) {
	e.Steps = append(e.Steps, Step{name, outcome, words})
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(err, ErrUnavailable):
		return outcomeUnavailable
	}
	return outcomeRefused
}

// tell joins what the check says and what it has found.
func (c *check) tell(x *exam, err error) string {
	words := c.words(x)
	if c.claims {
		words += x.doubt()
	}
	switch {
	case err == nil:
		return words
	case words == "":
		return err.Error()
	}
	return err.Error() + ": " + words
}

// doubt goes after what a token claims.
func (x *exam) doubt() string {
	if x.key == nil {
		return notBelieved
	}
	return ""
}

// A rule allows a room, or those that a pattern fits.
type rule struct{ entry, from string }

func (r rule) String() string { return quote(r.entry) + " by " + r.from }

// ruleThatAllows returns the first of rules to allow room.
func ruleThatAllows(rules []rule, room string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return match(r.entry, room) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// joinRules are the entries that MayJoin looks at, and whence they are.
func (x *exam) joinRules() []rule {
	return slices.Concat(x.filled("rooms.auto", x.v.auto), x.claimed(x.v.roomsClaim), x.filled("rooms.allow", x.v.allow))
}

func (x *exam) publishRules() []rule {
	return slices.Concat(x.claimed(x.v.publishClaim), x.filled("rooms.publish", x.v.publish))
}

func (x *exam) claimed(path string) (rules []rule) {
	names, patterns, _ := x.payload.entries(path, errRooms) // there is no error, or there would be no grant
	for _, entry := range slices.Concat(names, patterns) {
		rules = append(rules, rule{entry, "the claim " + path})
	}
	return rules
}

func (x *exam) filled(setting string, templates []template) (rules []rule) {
	for _, t := range templates {
		if room, ok := t.fill(x.payload); ok {
			rules = append(rules, rule{room, setting + " " + quote(t.raw)})
		}
	}
	return rules
}

// unfilled are the templates that yield nothing for this token.
func (x *exam) unfilled(setting string, templates []template) (all []string) {
	for _, t := range templates {
		if _, ok := t.fill(x.payload); !ok {
			all = append(all, setting+" "+quote(t.raw))
		}
	}
	return all
}

func (x *exam) joinsWords() string {
	rules := x.filled("rooms.auto", x.v.auto)
	for _, name := range x.grant.Named() {
		rules = append(rules, rule{name, "the claim " + x.v.roomsClaim + ", unless the request names rooms"})
	}
	return orNothing("at connect: ", rules) + x.doubt()
}

func (x *exam) publishesWords() string { return orNothing("may: ", x.publishRules()) + x.doubt() }

func orNothing(before string, rules []rule) string {
	words := make([]string, len(rules))
	for i, r := range rules {
		words[i] = r.String()
	}
	return before + listed(words, "nothing")
}

func (x *exam) roomWords(room string) string {
	if !ValidRoom(room) {
		return quote(room) + " cannot be a room: use 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -"
	}
	publish := "it may not be published to"
	if r, ok := ruleThatAllows(x.publishRules(), room); ok {
		publish = fmt.Sprintf("it may be published to, %v", r)
	}
	if r, ok := ruleThatAllows(x.joinRules(), room); ok {
		return fmt.Sprintf("%s may be joined, %v; %s", quote(room), r, publish)
	}
	words := fmt.Sprintf("%s may not be joined: put it, or a pattern that fits it, into the token's claim %s, or into rooms.allow; %s",
		quote(room), x.v.roomsClaim, publish)
	idle := slices.Concat(x.unfilled("rooms.auto", x.v.auto), x.unfilled("rooms.allow", x.v.allow))
	if len(idle) > 0 {
		words += "; a claim is missing, or unfit for a room's name, for " + listed(idle, "")
	}
	return words
}

// listed joins the first of words, and says how many there are more.
func listed(words []string, none string) string {
	const most = 20
	if len(words) == 0 {
		return none
	}
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(words, ", ")
}
