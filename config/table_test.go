package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func TestDocumentIsInSync(t *testing.T) {
	const path = "../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != Markdown() {
		t.Errorf("%s differs from the table of settings: run go generate ./config", path)
	}
}

func TestExamplesOfTheDocumentLoad(t *testing.T) {
	examples := strings.Split(Markdown(), "```yaml\n")[1:]
	if len(examples) != 2 {
		t.Errorf("%d examples, want 2", len(examples))
	}
	for _, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		example = strings.ReplaceAll(example, "/run/secrets/jwt", write(t, "jwt", goodSecret))
		example = strings.ReplaceAll(example, "/run/secrets/redis", write(t, "redis", "password"))
		c, err := load(t, example)
		if err != nil {
			t.Error(err)
		} else if got := c.Warnings(); len(got) > 0 {
			t.Errorf("an example gives warnings: %q", got)
		}
	}
}

func TestTableAndConfigHaveTheSameSettings(t *testing.T) {
	fields := map[string]reflect.Type{}
	sections := reflect.TypeFor[Config]()
	for i := range sections.NumField() {
		section := sections.Field(i)
		for j := range section.Type.NumField() {
			field := section.Type.Field(j)
			fields[section.Tag.Get("mapstructure")+"."+field.Tag.Get("mapstructure")] = field.Type
		}
	}
	for _, s := range settings {
		if !s.held() {
			continue
		}
		if got, want := reflect.TypeOf(s.initial()), fields[s.key]; got != want {
			t.Errorf("%s is %v in the table, and %v in Config", s.key, got, want)
		}
		delete(fields, s.key)
	}
	for key := range fields {
		t.Errorf("%s is in Config, and not in the table", key)
	}
}

func TestTableAndIssuerHaveTheSameSettings(t *testing.T) {
	fields := map[string]reflect.Type{}
	for i := range reflect.TypeFor[Issuer]().NumField() {
		field := reflect.TypeFor[Issuer]().Field(i)
		fields[field.Tag.Get("mapstructure")] = field.Type
	}
	for _, s := range perIssuer("") {
		if got, want := reflect.TypeOf(s.initial()), fields[s.key]; got != want {
			t.Errorf("%s is %v in the table, and %v in Issuer", s.key, got, want)
		}
		delete(fields, s.key)
	}
	for key := range fields {
		t.Errorf("%s is in Issuer, and not marked in the table", key)
	}
}

func TestTableIsConsistent(t *testing.T) {
	var keys []string
	for _, s := range settings {
		if strings.Count(s.key, ".") != 1 || strings.ToLower(s.key) != s.key || slices.Contains(keys, s.key) {
			t.Errorf("%s: a key is section.name, in small letters, and occurs once", s.key)
		}
		keys = append(keys, s.key)
		if s.help == "" || strings.ContainsAny(s.help, "`\n|") || strings.Contains(s.doc, "|") {
			t.Errorf("%s: its help must fit a line of --help and a cell of a table", s.key)
		}
		if _, isDuration := s.initial().(time.Duration); (s.min != "" || s.max != "") && !isDuration && s.kind != integer && s.kind != size {
			t.Errorf("%s: a %s has no bounds", s.key, s.kind)
		}
		if s.def != "" {
			if _, err := s.decode(s.def); err != nil {
				t.Errorf("%s: its default is refused: %v", s.key, err)
			}
		}
	}
}

func TestHelpListsEachSettingWithItsDefault(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(fs)
	usage := fs.FlagUsages()
	for _, s := range settings {
		if s.kind.fileOnly() {
			if strings.Contains(usage, "--"+s.key+" ") {
				t.Errorf("--help lists --%s, which no flag can hold", s.key)
			}
			continue
		}
		_, line, ok := strings.Cut(usage, "--"+s.key+" ")
		line, _, _ = strings.Cut(line, "\n")
		if !ok || !strings.Contains(line, s.help) {
			t.Errorf("--help lacks --%s %s", s.key, s.help)
		}
		shown := "(default " + s.def + ")"
		if s.kind == plain {
			shown = fmt.Sprintf("(default %q)", s.def)
		}
		if s.def != "" && s.def != "0" && s.def != "false" && !strings.Contains(line, shown) {
			t.Errorf("--help says of --%s %s, and not that %s is the default", s.key, line, s.def)
		}
	}
}
