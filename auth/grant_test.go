package auth

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func TestRoomsClaim(t *testing.T) {
	v := newVerifier(t)
	for name, tc := range map[string]struct {
		claim  string
		named  []string
		may    string // rooms, space-separated
		mayNot string
	}{
		"array":                {`["a","b:c"]`, []string{"a", "b:c"}, "a b:c", "b c b:c:d"},
		"one string":           {`"a b:c"`, []string{"a", "b:c"}, "a b:c", "b c"},
		"one string, spaces":   {`"  a   b "`, []string{"a", "b"}, "a b", ""},
		"only spaces divide":   {`"a\tb"`, nil, "", "a b"},
		"empty array":          {`[]`, nil, "", "a"},
		"empty string":         {`""`, nil, "", "a"},
		"names twice":          {`["a","b","a"]`, []string{"a", "b"}, "a b", ""},
		"patterns do not join": {`["a","team-*","x:**"]`, []string{"a"}, "a team-1 x:1 x:1:2", "team- team-1:x x x:"},
		"everything":           {`"**"`, nil, "a a:b:c", ""},
		"bad entries":          {`["a b","é","",""," a","ok","***","a\n"]`, []string{"ok"}, "ok", "a b"},
		"an entry too long":    {`["` + strings.Repeat("a", 129) + `"]`, nil, "", "a " + strings.Repeat("a", 129)},
		"a pattern too long":   {`["` + strings.Repeat("a", 128) + `*"]`, nil, "", strings.Repeat("a", 129)},
		"too many stars":       {`["a*a*a*a*a*a*a*a*a*"]`, nil, "", "aabaabaabaabaabaaba"},
		"case matters":         {`["Room"]`, []string{"Room"}, "Room", "room ROOM"},
	} {
		t.Run(name, func(t *testing.T) {
			g := grantOf(t, v, with(`"rooms":`+tc.claim))
			equal(t, "Named", g.Named(), tc.named)
			equal(t, "Auto", g.Auto(), nil)
			for _, room := range strings.Fields(tc.may) {
				if !g.MayJoin(room) {
					t.Errorf("MayJoin(%q) = false, want true", room)
				}
				if g.MayPublish(room) {
					t.Errorf("MayPublish(%q) = true for a room of the rooms claim", room)
				}
			}
			for _, room := range append(strings.Fields(tc.mayNot), "", "*", "**", "a b", "é") {
				if g.MayJoin(room) {
					t.Errorf("MayJoin(%q) = true, want false", room)
				}
			}
		})
	}
}

func TestListsThatAreNoListsAreRefused(t *testing.T) {
	v := newVerifier(t)
	for _, claim := range []string{
		`null`, `1`, `true`, `{}`, `{"a":1}`, `[1]`, `["a",null]`, `["a",["b"]]`,
		`[` + strings.Repeat(`"a",`, 1000) + `"a"]`,
		`"` + strings.Repeat("a ", 1000) + `a"`,
	} {
		refused(t, v, sign(secret32, hs256, with(`"rooms":`+claim)), reasonClaims)
		refused(t, v, sign(secret32, hs256, with(`"publish":`+claim)), reasonClaims)
	}
	grantOf(t, v, with(`"rooms":[`+strings.Repeat(`"a",`, 999)+`"a"]`))
}

func TestPublishIsGrantedApart(t *testing.T) {
	v := newVerifier(t, func(o *Options) {
		o.PublishClaim = "app.send"
		o.PublishRooms = []string{"inbox:{sub}", "open:*"}
	})
	g := grantOf(t, v, with(`"sub":"u42","app":{"send":["a","team:*"]},"rooms":["b"],"publish":["c"]`))
	for room, want := range map[string]bool{
		"a": true, "team:1": true, "inbox:u42": true, "open:x": true,
		"b": false, "c": false, "team:1:2": false, "inbox:u43": false, "": false, "open:é": false,
	} {
		if got := g.MayPublish(room); got != want {
			t.Errorf("MayPublish(%q) = %v, want %v", room, got, want)
		}
		if join := g.MayJoin(room); join != (room == "b") {
			t.Errorf("MayJoin(%q) = %v", room, join)
		}
	}
}

func TestZeroGrantGrantsNothing(t *testing.T) {
	g := &Grant{}
	if g.MayJoin("a") || g.MayPublish("a") || len(g.Auto())+len(g.Named()) > 0 {
		t.Errorf("%+v grants something", g)
	}
}

func TestGrantListsCannotGrowIntoEachOther(t *testing.T) {
	v := newVerifier(t, func(o *Options) { o.AutoRooms = []string{"auto"} })
	g := grantOf(t, v, with(`"rooms":["named"],"publish":["p"]`))
	_ = append(g.Auto(), "evil")
	_ = append(g.Named(), "evil")
	if g.MayJoin("evil") || g.MayPublish("evil") || !g.MayJoin("named") || !g.MayPublish("p") {
		t.Error("append to a list of the grant changed the grant")
	}
}

func TestGrantIsSmall(t *testing.T) {
	if got, want := unsafe.Sizeof(Grant{}), uintptr(112); got > want {
		t.Errorf("a Grant has %d bytes, want at most %d", got, want)
	}
}

func TestGrantKeepsNothingOfItsToken(t *testing.T) {
	v := newVerifier(t)
	token := sign(secret32, hs256, with(`"sub":"u42","rooms":"room:42`+strings.Repeat(" ", 900)+`","x":"`+strings.Repeat("x", 4000)+`"`))
	grants := make([]*Grant, 2000)

	before := heap()
	for i := range grants {
		g, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		grants[i] = g
	}
	each := (heap() - before) / int64(len(grants))
	runtime.KeepAlive(grants)
	if want := int64(200); each > want {
		t.Errorf("a grant of one room keeps %d bytes alive, want at most %d", each, want)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // the first only moves what sync.Pools hold to their victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
