package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestARunningProcessTakesOverWhatNeedsNoRestart(t *testing.T) {
	c := mustLoad(t, "", "--http.allowed_origins=https://a.example")
	next, err := load(t, "", "JWT_SECRET="+strings.Repeat("n", 64), "--http.allowed_origins=https://b.example", "--http.addr=:1",
		"--redis.password=p", "--limits.connections=7")
	if err != nil {
		t.Fatal(err)
	}
	taken, changed, stuck := c.Take(next)
	if want := []string{"http.allowed_origins", "auth.secret", "limits.connections"}; !slices.Equal(changed, want) {
		t.Errorf("changed: %q, want %q", changed, want)
	}
	if want := []string{"http.addr", "redis.password"}; !slices.Equal(stuck, want) {
		t.Errorf("stuck: %q, want %q", stuck, want)
	}
	want := *next
	want.HTTP.Addr, want.Redis.Password = c.HTTP.Addr, c.Redis.Password
	if !reflect.DeepEqual(taken, &want) {
		t.Errorf("got\n%+v\nwant\n%+v", taken, &want)
	}
	if _, again, _ := taken.Take(taken); again != nil {
		t.Errorf("taken differs from itself in %q", again)
	}
}

// Each setting is found under its name, and either taken over or not as its row says.
func TestEverySettingIsTakenOverAsTheTableSays(t *testing.T) {
	for _, s := range table {
		c, next := mustLoad(t, ""), mustLoad(t, "")
		field := s.field(next)
		other := reflect.Zero(field.Type())
		if reflect.DeepEqual(field.Interface(), other.Interface()) {
			other = otherThanZero(t, field.Type())
		}
		field.Set(other)
		taken, changed, stuck := c.Take(next)
		want := next
		if s.restart {
			changed, stuck, want = stuck, changed, c
		}
		if s.key == "auth.secret" { // without it, the settings are no short form
			changed = slices.DeleteFunc(changed, func(key string) bool { return key == "auth.issuers" })
		}
		if s.key == "auth.issuers" { // hidden behind the short form's own names
			changed = append(changed, s.key)
		}
		if !slices.Equal(changed, []string{s.key}) || len(stuck) > 0 {
			t.Errorf("%s is not the only one that differs: %q, and otherwise %q", s.key, changed, stuck)
		}
		if !reflect.DeepEqual(s.field(taken).Interface(), s.field(want).Interface()) {
			t.Errorf("%s (restart: %v) is not what it should be", s.key, s.restart)
		}
	}
}

func otherThanZero(t *testing.T, typ reflect.Type) reflect.Value {
	t.Helper()
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v = reflect.MakeSlice(typ, 1, 1)
	default:
		t.Fatalf("a setting is a %v", typ)
	}
	return v
}
