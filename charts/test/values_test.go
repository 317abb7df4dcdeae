package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
)

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheChartIsCleanToHelmLint(t *testing.T) {
	for name, values := range map[string]map[string]any{"none": {}, "plain": usual(t), "all": usual(t, axes["edge"]["ingress"], axes["edge"]["route"], axes["tls"]["own"], axes["scale"]["keda"], axes["watch"]["operator"])} {
		for _, m := range lint.RunAll(chartDir, values, namespace).Messages {
			if m.Severity > support.UnknownSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// A key of values.yaml, and the comment beside it or above it.
var (
	valueLine   = regexp.MustCompile(`^( *)([A-Za-z]+):(.*)$`)
	commentLine = regexp.MustCompile(`^ *# \S`)
)

// A key that holds others tells of them by those.
func TestEachValueHasAComment(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(chartDir, "values.yaml"))), "\n")
	if len(lines) >= 150 {
		t.Errorf("values.yaml has %d lines, want less than 150", len(lines))
	}
	for i, line := range lines {
		m := valueLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case strings.Contains(m[3], " # "), i > 0 && commentLine.MatchString(lines[i-1]):
		case strings.TrimSpace(m[3]) == "": // holds others
		case m[2] == "requests", m[2] == "limits": // of Kubernetes
		default:
			t.Errorf("values.yaml:%d: nothing says what %s is", i+1, m[2])
		}
	}
}

// schemaOf is the part of values.schema.json at a path of properties.
func schemaOf(t testing.TB, path ...string) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(chartDir, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range path {
		if ref, ok := schema["$ref"].(string); ok {
			schema = schemaDefinition(t, ref)
		}
		next, ok := schema["properties"].(map[string]any)[key].(map[string]any)
		if !ok {
			t.Fatalf("values.schema.json has no %s", strings.Join(path, "."))
		}
		schema = next
	}
	if ref, ok := schema["$ref"].(string); ok {
		schema = schemaDefinition(t, ref)
	}
	return schema
}

func schemaDefinition(t testing.TB, ref string) map[string]any {
	t.Helper()
	var schema struct {
		Definitions map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(chartDir, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Definitions[strings.TrimPrefix(ref, "#/definitions/")]
}

// unsaid are names that may be written and are not in values.yaml: Helm's own, and a rare one of Kubernetes'.
var unsaid = map[string]bool{".global": true, "resources.claims": true}

func TestTheSchemaAndTheValuesHaveTheSameNames(t *testing.T) {
	compareNames(t, parse(t, read(t, filepath.Join(chartDir, "values.yaml"))))
}

func compareNames(t *testing.T, values map[string]any, path ...string) {
	at := strings.Join(path, ".")
	if at == "config" || at == "resources.requests" || at == "resources.limits" || at == "monitoring.dashboard.labels" {
		return // names of roomgate's and of Kubernetes'
	}
	schema := schemaOf(t, path...)
	if schema["additionalProperties"] != false {
		t.Errorf("values.schema.json takes any name in %q", at)
	}
	known := schema["properties"].(map[string]any)
	for name := range known {
		if _, ok := values[name]; !ok && !unsaid[at+"."+name] {
			t.Errorf("values.yaml lacks %s.%s, which the schema has", at, name)
		}
	}
	for name, value := range values {
		if known[name] == nil {
			t.Errorf("the schema lacks %s.%s, which values.yaml has", at, name)
			continue
		}
		if below, ok := value.(map[string]any); ok && len(below) > 0 {
			compareNames(t, below, append(path[:len(path):len(path)], name)...)
		}
	}
}

// settingRow is a row of docs/configuration.md: name, kind, and what is allowed.
var settingRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)\\.([a-z_]+)` \\| [^|]+ \\| ([a-z]+) \\| [^|]* \\| (.*) \\|$")

// shapes are how the values of a kind are written in the settings file.
var shapes = map[string]string{
	"string": `{"type": "string"}`, "bool": `{"type": "boolean"}`, "int": `{"type": "integer"}`, "secret": `{"type": "string"}`, "url": `{"type": "string"}`,
	"duration": `{"$ref": "#/definitions/duration"}`, "bytes": `{"$ref": "#/definitions/bytes"}`,
	"list": `{"$ref": "#/definitions/strings"}`, "networks": `{"$ref": "#/definitions/strings"}`, "words": `{"$ref": "#/definitions/strings"}`, "secrets": `{"$ref": "#/definitions/strings"}`,
	"issuers": `{"type": "array", "items": {"type": "object"}}`,
}

func TestTheSchemaHasEachSettingInItsKindAndNoOther(t *testing.T) {
	rows := settingRow.FindAllStringSubmatch(read(t, "../../docs/configuration.md"), -1)
	if len(rows) < 80 {
		t.Fatalf("docs/configuration.md has %d settings that this test can read, want all", len(rows))
	}
	want := map[string]string{}
	for _, row := range rows {
		section, name, kind, meaning := row[1], row[2], row[3], row[4]
		want[section+"."+name] = shapes[kind]
		if _, allowed, ok := strings.Cut(meaning, "Allowed: "); ok && kind == "string" {
			allowed, _, _ = strings.Cut(allowed, ".")
			want[section+"."+name] = `{"enum": [` + strings.ReplaceAll(allowed, "`", `"`) + `]}`
		}
		if kind == "secret" || kind == "secrets" || kind == "url" {
			want[section+"."+name+"_file"] = shapes["string"]
		}
	}
	for name, shape := range want {
		section, name, _ := strings.Cut(name, ".")
		schema, _ := schemaOf(t, "config")["properties"].(map[string]any)[section].(map[string]any)
		if schema == nil {
			t.Fatalf("values.schema.json lacks the section config.%s", section)
		}
		properties := schema["properties"].(map[string]any)
		var expected map[string]any
		if err := json.Unmarshal([]byte(shape), &expected); err != nil {
			t.Fatalf("%s.%s: %v", section, name, err)
		}
		if got := properties[name]; !reflect.DeepEqual(got, any(expected)) {
			t.Errorf("config.%s.%s: got %v, want %s", section, name, got, shape)
		}
	}
	for section, schema := range schemaOf(t, "config")["properties"].(map[string]any) {
		for name := range schema.(map[string]any)["properties"].(map[string]any) {
			if want[section+"."+name] == "" {
				t.Errorf("values.schema.json has config.%s.%s, which is no setting", section, name)
			}
		}
	}
}
