package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Source is where Load looks. A flag that was given wins over the environment, a ROOMGATE_ name over a well-known one,
// the environment over the file, and the file over the default.
type Source struct {
	Flags   *pflag.FlagSet // what AddFlags defined, parsed; nil: none
	Environ []string       // as os.Environ returns it; a variable that is empty counts as not set
	File    string         // path of a YAML file; empty: the one that ROOMGATE_CONFIG names, if any

	// Only names the sections, such as "redis", whose values must be good: for a command that uses no others. A bad
	// value of another section counts as not set. None: all must be.
	Only []string

	AnyName bool // pass over a name that is no setting's, for a command that has told of it already
}

// uses reports whether the values of key's section must be good.
func (s Source) uses(key string) bool {
	return len(s.Only) == 0 || slices.Contains(s.Only, setting{key: key}.section())
}

// Load reads all settings and checks them. Its error joins one for each thing that is wrong, and each names the setting,
// where its value came from and what is allowed; none shows a secret.
func Load(src Source) (*Config, error) {
	l := &loader{
		uses:  src.uses,
		lax:   src.AnyName,
		flags: src.Flags,
		env:   environment(src.Environ),
		from:  map[string]string{},
		given: map[string]any{},
		bad:   map[string]bool{},
	}
	l.path = cmp.Or(src.File, l.env[envConfig])
	l.checkEnvironment()
	if err := l.readFile(); err != nil {
		return nil, errors.Join(append(l.errs, err)...) // whatever else is missing may be in that file
	}
	l.checkFile()

	c := new(Config)
	if err := l.fill(c, "", settings, l.lookup); err != nil {
		return nil, err
	}
	if c.Admin.Addr == "off" {
		c.Admin.Addr = ""
	}
	l.check(c)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return c, nil
}

// loader is the state of one Load.
type loader struct {
	uses  func(key string) bool
	lax   bool // a name that is no setting's is no error
	flags *pflag.FlagSet
	env   map[string]string
	path  string       // of the file; empty: none
	file  *viper.Viper // what the file holds, and no defaults

	from  map[string]string // key: where its value came from; absent: the default
	given map[string]any    // key: its value, decoded; absent: the default
	bad   map[string]bool   // key: it has an error already, so another would be noise
	errs  []error
}

// A lookup finds the value of a setting in the source that wins; false: in none.
type lookup func(setting) (raw any, ok bool)

// fill sets the fields of dst, a pointer to a struct, to what find has for rows, or their defaults. In dst the fields
// have the names of rows without at. What is wrong with a value is noted; the error is about rows and dst.
func (l *loader) fill(dst any, at string, rows []setting, find lookup) error {
	// Every value enters viper in the Go type of its field, so that its lax conversions have nothing to do.
	v := viper.New()
	for _, s := range rows {
		if !s.held() {
			continue
		}
		name := strings.TrimPrefix(s.key, at)
		v.SetDefault(name, s.initial())
		if value, ok := l.value(s, find); ok {
			l.given[s.key] = value
			v.Set(name, value)
		}
	}
	if err := v.UnmarshalExact(dst); err != nil {
		return fmt.Errorf("the table of settings and %T differ: %w", dst, err)
	}
	return nil
}

// fail notes what is wrong with the value of key.
func (l *loader) fail(key, format string, args ...any) {
	if l.bad[key] || !l.uses(key) {
		return
	}
	l.errs = append(l.errs, fmt.Errorf("%s (%s): %w", key, cmp.Or(l.from[key], "default"), fmt.Errorf(format, args...)))
}

// unknown notes a name that is no setting's.
func (l *loader) unknown(format string, args ...any) {
	if !l.lax {
		l.errs = append(l.errs, fmt.Errorf(format, args...))
	}
}

// value returns what s is set to; false if it is not set, or wrongly.
func (l *loader) value(s setting, find lookup) (value any, ok bool) {
	raw, ok := find(s)
	if s.kind.hidden() {
		raw, ok = l.withTwin(s, find, raw, ok)
	}
	if !ok || l.bad[s.key] {
		return nil, false
	}
	var err error
	if s.kind == issuers {
		value, err = l.entries(s, raw)
	} else {
		value, err = s.decode(raw)
	}
	if err != nil {
		l.fail(s.key, "%w", err)
		l.bad[s.key] = true
		return nil, false
	}
	return value, true
}

// lookup finds s among flags, environment and file.
func (l *loader) lookup(s setting) (raw any, ok bool) {
	if l.flags != nil {
		if flag := l.flags.Lookup(s.key); flag != nil && flag.Changed {
			l.from[s.key] = "flag --" + s.key
			return flag.Value.String(), true
		}
	}
	if text := l.env[s.env()]; text != "" && !s.kind.fileOnly() {
		l.from[s.key] = "environment " + s.env()
		return text, true
	}
	if text := l.env[s.alias]; text != "" {
		l.from[s.key] = "environment " + s.alias
		if s.convert == nil {
			return text, true
		}
		converted, err := s.convert(text)
		if err != nil {
			l.fail(s.key, "%w", err)
			l.bad[s.key] = true
		}
		return converted, true
	}
	if raw = l.file.Get(s.key); raw != nil { // nil: absent or null, and null keeps the default
		l.from[s.key] = "file " + l.path
		return raw, true
	}
	return nil, false
}

// withTwin reads the secret s from the file that its twin names, if it does. An empty secret or path counts as not set.
func (l *loader) withTwin(s setting, find lookup, raw any, ok bool) (any, bool) {
	ok = ok && raw != ""
	twin := s.twin()
	path, named := find(twin)
	if !named || path == "" {
		return raw, ok
	}
	if ok {
		l.fail(s.key, "%s is set too (%s): keep one of the two", twin.key, l.from[twin.key])
		l.bad[s.key] = true
		return nil, false
	}
	content, err := readSecret(twin, path)
	if err != nil {
		l.fail(twin.key, "%w", err)
		l.bad[s.key], l.bad[twin.key] = true, true
		return nil, false
	}
	l.from[s.key] = fmt.Sprintf("file %v, named by %s", path, l.from[twin.key])
	if s.reread { // whoever uses it reads the file again: this was to see that it can be
		return nil, false
	}
	return content, true
}

func readSecret(twin setting, path any) (string, error) {
	name, ok := path.(string)
	if !ok {
		return "", fmt.Errorf("%v is not %s", path, twin.kind.noun())
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	if strings.TrimSpace(string(content)) == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return string(content), nil
}

// portToAddr is how a PORT, as hosting platforms set it, becomes http.addr.
func portToAddr(port string) (string, error) {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is not a port number from 1 to 65535", port)
	}
	return ":" + port, nil
}
