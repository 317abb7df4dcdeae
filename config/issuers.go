package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// exampleIssuer is an entry of auth.issuers, on one line.
const exampleIssuer = "{issuer: https://id.example.com, discovery: true, audience: [chat]}"

// shortForm is what stands before the settings of a single issuer, and entry before those of one of auth.issuers.
const shortForm = "auth."

func entry(i int) string { return fmt.Sprintf("auth.issuers[%d].", i) }

// perIssuer are the settings of one issuer, under at.
func perIssuer(at string) []setting {
	var rows []setting
	for _, s := range table {
		if s.perIssuer {
			s.key = at + strings.TrimPrefix(s.key, shortForm)
			s.alias = ""
			rows = append(rows, s)
		}
	}
	return rows
}

// entries reads auth.issuers, which is s. What is wrong within an entry is noted as for any setting; the error is that
// there are no entries.
func (l *loader) entries(s setting, raw any) ([]Issuer, error) {
	list, ok := raw.([]any)
	if !ok {
		return nil, fmt.Errorf("its value is not %s", s.kind.noun())
	}
	all := make([]Issuer, len(list))
	for i, raw := range list {
		at := entry(i)
		key := strings.TrimSuffix(at, ".")
		l.from[key] = l.from[s.key]
		fields, ok := raw.(map[string]any)
		if !ok {
			l.fail(key, "its value is not an issuer, such as %s", exampleIssuer)
			l.bad[key] = true
			continue
		}
		l.checkNames(at, fields, l.from[s.key])
		find := func(field setting) (any, bool) {
			l.from[field.key] = l.from[s.key]
			raw := fields[strings.TrimPrefix(field.key, at)]
			return raw, raw != nil
		}
		if err := l.fill(&all[i], at, perIssuer(at), find); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// checkNames refuses what no issuer has.
func (l *loader) checkNames(at string, fields map[string]any, from string) {
	var known []string
	for _, s := range withTwins(perIssuer(at)) {
		known = append(known, strings.TrimPrefix(s.key, at))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			l.unknown("%s%s (%s): no such setting of an issuer%s", at, name, from,
				didYouMean(name, known, "; it has "+strings.Join(known, ", ")))
		}
	}
}

// has reports whether key has a value that says something: one that is empty or false is as if it were not there.
func (l *loader) has(key string) bool {
	switch value := l.given[key].(type) {
	case nil:
		return false
	case string:
		return value != ""
	case bool:
		return value
	case []string:
		return len(value) > 0
	case []Secret:
		return len(value) > 0
	case []Issuer:
		return len(value) > 0
	default:
		return true
	}
}
