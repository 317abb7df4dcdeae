package chart

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path"
	"sort"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	chartDir  = "../roomgate"
	release   = "roomgate"
	namespace = "prod"
)

var load = sync.OnceValues(func() (*chartv2.Chart, error) { return loader.Load(chartDir) })

// A rendering is what Helm would send to the cluster, and say to who installs.
type rendering struct {
	objects []any // pointers to the types of Kubernetes and of the operators
	notes   string
}

// render is `helm template`, with values laid over values.yaml.
func render(values map[string]any) (files map[string]string, err error) {
	return renderAs(release, values)
}

func renderAs(release string, values map[string]any) (files map[string]string, err error) {
	c, err := load()
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// mustRender renders values, and decodes each object strictly.
func mustRender(t testing.TB, values map[string]any) rendering {
	t.Helper()
	return mustRenderAs(t, release, values)
}

func mustRenderAs(t testing.TB, release string, values map[string]any) rendering {
	t.Helper()
	files, err := renderAs(release, values)
	if err != nil {
		t.Fatalf("rendering: %v", err)
	}
	var r rendering
	for _, name := range sorted(files) {
		if path.Base(name) == "NOTES.txt" {
			r.notes = files[name]
			continue
		}
		for _, document := range documents(t, files[name]) {
			object, err := decode(document)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, document)
				continue
			}
			r.objects = append(r.objects, object)
		}
	}
	return r
}

// one returns the only object of a type that has a name; T is such as *appsv1.Deployment.
func one[T interface{ GetName() string }](t testing.TB, r rendering, name string) T {
	t.Helper()
	var found []T
	for _, object := range r.objects {
		if o, ok := object.(T); ok && o.GetName() == name {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d %T with the name %s, want 1", len(found), *new(T), name)
	}
	return found[0]
}

// all returns each object of a type.
func all[T any](r rendering) (found []T) {
	for _, object := range r.objects {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// documents are those of a YAML file that have something in them.
func documents(t testing.TB, text string) (found [][]byte) {
	t.Helper()
	reader := k8syaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if asJSON, err := yaml.YAMLToJSON(document); err == nil && bytes.Equal(asJSON, []byte("null")) {
			continue // comments alone
		}
		found = append(found, document)
	}
}

// parse reads values as they stand in a file; later ones win.
func parse(t testing.TB, texts ...string) map[string]any {
	t.Helper()
	values := map[string]any{}
	for _, text := range texts {
		var next map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &next); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		values = util.MergeTables(next, values)
	}
	return values
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
