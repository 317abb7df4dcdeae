package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const (
	envPrefix = "ROOMGATE_"
	envConfig = envPrefix + "CONFIG" // the path of the file, for which there is no setting
)

// setting is a row of the table: all that flags, environment, defaults, help and documentation need to know.
type setting struct {
	key  string // section.name
	kind kind
	def  string // as one would write it in a variable

	help    string                   // one line: unit, and what zero means
	doc     string                   // more, for the documentation only
	min     string                   // of an int, a duration or a size; empty: 0
	max     string                   // likewise; empty: none
	choices []string                 // of a string, or of each item of a list; empty: any
	whyNot  func(item string) string // more to say of an item that is none of choices; nil: nothing

	alias   string                       // a well-known variable that also sets it
	convert func(string) (string, error) // from what the alias holds; nil: as it is

	twinOf string // of a <key>_file: the secret that the file holds
	reread bool   // of a secret: its file is read at each use, so that Config holds its path; of the twin: it is that path

	perIssuer bool // each entry of auth.issuers has it; of a single issuer, it is in the section itself
	restart   bool // a running process cannot take over another value: see Config.Take
}

// section is the part of the key before the dot.
func (s setting) section() string {
	section, _, _ := strings.Cut(s.key, ".")
	return section
}

// env is the variable that sets s.
func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// twin is the setting that names the file which holds s.
func (s setting) twin() setting {
	twin := setting{
		key: s.key + "_file", kind: plain, twinOf: s.key, reread: s.reread, restart: s.reread && s.restart,
		help: "path of a file that holds " + s.key,
	}
	if s.reread {
		twin.help += ", read anew for each connection"
	}
	return twin
}

// settings is the table, and after each secret its twin.
var settings = withTwins(table)

func withTwins(rows []setting) []setting {
	var all []setting
	for _, s := range rows {
		all = append(all, s)
		if s.kind.hidden() {
			all = append(all, s.twin())
		}
	}
	return all
}

// held reports whether Config has a field for s.
func (s setting) held() bool { return s.twinOf == "" || s.reread }

// initial is the default, in the kind's Go type.
func (s setting) initial() any {
	value, ok := s.kind.parse(s.def)
	if !ok {
		panic("config: " + s.key + " has a default that cannot be read")
	}
	return value
}

// decode turns what a source holds into the kind's Go type, within the bounds of s.
func (s setting) decode(raw any) (any, error) {
	value, ok := s.kind.decode(raw)
	switch {
	case !ok && s.kind.hidden():
		return nil, fmt.Errorf("its value is not %s", s.kind.noun())
	case !ok:
		return nil, fmt.Errorf("%s is not %s", show(raw), s.kind.noun())
	}
	switch value := value.(type) {
	case int:
		return value, s.checkBounds(raw, int64(value))
	case time.Duration:
		return value, s.checkBounds(raw, int64(value))
	case string:
		return value, s.checkChoice(value)
	case []string:
		for _, item := range value {
			if err := s.checkChoice(item); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func (s setting) checkBounds(raw any, n int64) error {
	if s.min == "" && n < 0 {
		return fmt.Errorf("%v is less than 0", raw)
	}
	if s.min != "" && n < s.bound(s.min) {
		return fmt.Errorf("%v is less than %s", raw, s.min)
	}
	if s.max != "" && n > s.bound(s.max) {
		return fmt.Errorf("%v is more than %s", raw, s.max)
	}
	return nil
}

func (s setting) bound(text string) int64 {
	switch value, _ := s.kind.parse(text); value := value.(type) {
	case int:
		return int64(value)
	case time.Duration:
		return int64(value)
	default:
		panic("config: " + s.key + " has a bound that cannot be read")
	}
}

func (s setting) checkChoice(item string) error {
	if len(s.choices) == 0 || slices.Contains(s.choices, item) {
		return nil
	}
	reason := ""
	if s.whyNot != nil {
		reason = s.whyNot(item)
	}
	return fmt.Errorf("%q is not one of %s%s", item, strings.Join(s.choices, ", "), reason)
}

// show quotes a string and leaves anything else as YAML had it.
func show(raw any) string {
	if s, ok := raw.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(raw)
}

// AddFlags defines a flag for each setting but auth.issuers, and one for each secret's file. They are read by Load: setting one never fails,
// so that Load can tell all errors at once.
func AddFlags(fs *pflag.FlagSet) {
	for _, s := range settings {
		if s.kind.fileOnly() {
			continue
		}
		usage := s.help
		if len(s.choices) > 0 {
			usage += ": " + strings.Join(s.choices, ", ")
		}
		flag := fs.VarPF(&flagValue{kind: s.kind, text: s.def}, s.key, "", usage)
		if s.kind == boolean {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue keeps the text of a flag as it was given. A list's flag may be given more than once.
type flagValue struct {
	kind kind
	text string
	set  bool // text was given, and is not the default
}

func (f *flagValue) String() string { return f.text }
func (f *flagValue) Type() string   { return string(f.kind) }

func (f *flagValue) Set(text string) error {
	if f.set && f.kind.separator() != "" {
		text = f.text + f.kind.separator() + text
	}
	f.text, f.set = text, true
	return nil
}
