package config

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed configuration.md.tmpl
var page string

// Markdown is the text of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	tmpl := template.Must(template.New("page").Parse(page))
	if err := tmpl.Execute(&b, map[string]any{"Sections": sections(), "Issuer": issuerNames()}); err != nil {
		panic(err) // the template is part of the program
	}
	return b.String()
}

// issuerNames are the settings of an entry of auth.issuers.
func issuerNames() string {
	var names []string
	for _, s := range withTwins(perIssuer("")) {
		names = append(names, "`"+s.key+"`")
	}
	return strings.Join(names, ", ")
}

type section struct {
	Name string
	Rows []string
}

// sections are the rows of the documentation's tables.
func sections() []section {
	var all []section
	for _, s := range table {
		if len(all) == 0 || all[len(all)-1].Name != s.section() {
			all = append(all, section{Name: s.section()})
		}
		last := &all[len(all)-1]
		last.Rows = append(last.Rows, s.row())
	}
	return all
}

func (s setting) row() string {
	name := "`" + s.env() + "`"
	if s.kind.fileOnly() {
		name = "none"
	}
	if s.alias != "" {
		name += " or `" + s.alias + "`"
	}
	initial := "none"
	if s.def != "" {
		initial = "`" + s.def + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", s.key, name, s.kind, initial, s.meaning())
}

// meaning is all that the table has to say of s, as sentences.
func (s setting) meaning() string {
	sentences := []string{strings.ToUpper(s.help[:1]) + s.help[1:]}
	if s.doc != "" {
		sentences = append(sentences, strings.TrimSuffix(s.doc, "."))
	}
	if len(s.choices) > 0 {
		sentences = append(sentences, "Allowed: `"+strings.Join(s.choices, "`, `")+"`")
	}
	switch {
	case s.min != "" && s.max != "":
		sentences = append(sentences, "From "+s.min+" to "+s.max)
	case s.min != "":
		sentences = append(sentences, "At least "+s.min)
	case s.max != "":
		sentences = append(sentences, "At most "+s.max)
	}
	if s.restart {
		sentences = append(sentences, "Another value needs a restart")
	}
	return strings.Join(sentences, ". ") + "."
}
