package config

import (
	"reflect"
	"strings"
)

// Take returns what a running process makes of next, which Load has returned too: the values of next, but those of c where
// the table says that another needs a restart. changed and stuck are the names of what differs: taken over, and not.
// Neither c nor next is changed.
func (c *Config) Take(next *Config) (taken *Config, changed, stuck []string) {
	taken = new(*next)
	for _, s := range settings {
		if !s.held() {
			continue
		}
		if s.key == "auth.issuers" && c.isShort() && next.isShort() {
			continue // made of the settings of the short form, which have names of their own
		}
		old, value := s.field(c), s.field(taken)
		switch {
		case reflect.DeepEqual(old.Interface(), value.Interface()):
		case s.restart:
			value.Set(old)
			stuck = append(stuck, s.key)
		default:
			changed = append(changed, s.key)
		}
	}
	return taken, changed, stuck
}

// field is the field of c that s has.
func (s setting) field(c *Config) reflect.Value {
	_, name, _ := strings.Cut(s.key, ".")
	return tagged(tagged(reflect.ValueOf(c).Elem(), s.section()), name)
}

// tagged is the field of a struct that has a tag.
func tagged(v reflect.Value, tag string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("mapstructure") == tag {
			return v.Field(i)
		}
	}
	panic("config: no field has the tag " + tag)
}
