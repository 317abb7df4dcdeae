package config

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// environment makes a map of what os.Environ returns.
func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	delete(env, "") // Windows has such; and it is the alias of a setting that has none
	return env
}

// serviceLink matches what Kubernetes adds to every container for a Service named roomgate or roomgate-….
// The shortest of them, ROOMGATE_PORT=tcp://…, is told from a slip of the pen by its value.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// checkEnvironment refuses a ROOMGATE_ name that is no setting's. Without a value it counts as not
// set, as any variable does.
func (l *loader) checkEnvironment() {
	known := []string{envConfig}
	sections := map[string]string{} // its name: the first of its settings
	inFile := map[string]string{}   // the name that a setting would have if it could be in a variable: its key
	for _, s := range settings {
		if s.kind.fileOnly() {
			inFile[s.env()] = s.key
			continue
		}
		known = append(known, s.env())
		if name := envPrefix + strings.ToUpper(s.section()); sections[name] == "" {
			sections[name] = s.env()
		}
	}
	var links []string
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		switch {
		case !strings.HasPrefix(name, envPrefix) || l.env[name] == "" || slices.Contains(known, name):
		case inFile[name] != "":
			l.unknown("environment %s: %s can be in the file only", name, inFile[name])
		case serviceLink.MatchString(name), strings.HasSuffix(name, "_PORT") && strings.Contains(l.env[name], "://"):
			links = append(links, name)
		case sections[name] != "":
			l.unknown("environment %s: is a section, not a setting: set its settings, such as %s",
				name, sections[name])
		default:
			l.unknown("environment %s: no such setting%s", name, didYouMean(name, known, "; --help lists all"))
		}
	}
	if len(links) > 0 {
		l.unknown("environment %s: Kubernetes sets these for a Service named roomgate: "+
			"set enableServiceLinks: false in the pod's spec", strings.Join(links, ", "))
	}
}

// readFile parses the file, if there is one.
func (l *loader) readFile() error {
	l.file = viper.New()
	if l.path == "" {
		return nil
	}
	content, err := os.ReadFile(l.path)
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	l.file.SetConfigType("yaml")
	if err := l.file.ReadConfig(bytes.NewReader(content)); err != nil {
		return fmt.Errorf("file %s: is not a YAML mapping of settings%s", l.path, placeInYAML(err))
	}
	return nil
}

// safeYAML matches what a YAML error says of the form. Others quote values (between backquotes) or anchors, and a secret that
// begins with * is taken for one.
var safeYAML = regexp.MustCompile("(?m)line \\d+: [^`\n]+$")

func placeInYAML(err error) string {
	if found := safeYAML.FindAllString(err.Error(), -1); found != nil {
		return ": " + strings.Join(found, "; ")
	}
	return "; text that begins with one of * & ! @ % or holds a colon needs quotes"
}

// checkFile refuses a key that is no setting's.
func (l *loader) checkFile() {
	var known []string
	sections := map[string]bool{}
	for _, s := range settings {
		known = append(known, s.key)
		sections[s.section()] = true
	}
	for _, key := range slices.Sorted(slices.Values(l.file.AllKeys())) {
		switch {
		case slices.Contains(known, key):
		case slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(key, k+".") }):
			// A mapping as the value of a setting: refused when that is decoded.
		case sections[key] && l.file.Get(key) == nil: // a section with nothing in it
		case sections[key]:
			l.unknown("%s (file %s): is a section: put its settings below it, indented", key, l.path)
		default:
			l.unknown("%s (file %s): no such setting%s", key, l.path, didYouMean(key, known, "; --help lists all"))
		}
	}
}

// didYouMean completes an error with the name that is nearest, if one is near, and else with otherwise.
func didYouMean(name string, known []string, otherwise string) string {
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, nearest) > max(2, len(name)/3) {
		return otherwise
	}
	return ": did you mean " + nearest + "?"
}

// distance is Levenshtein's: how many bytes to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from the part of a read so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
