package web

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestOperatorsPageHasNothingInlineAndSetsTextAsText(t *testing.T) {
	p, err := Operator()
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)\s(style|on\w+)=|<style|<script[^>]*>[^<]|https?://|src="/|href="/`)
	if found := inline.FindString(string(p.files["index.html"].content)); found != "" {
		t.Errorf("index.html has %q, which its policy does not allow, or which does not work below a path", found)
	}
	if found := regexp.MustCompile(`(?i)@import|url\(`).FindString(string(p.files["style.css"].content)); found != "" {
		t.Errorf("style.css has %q", found)
	}
	sources, err := filepath.Glob("operator/*.ts")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, name := range sources { // not main.js, which has uPlot in it
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`\.(innerHTML|outerHTML)\b|insertAdjacentHTML|document\.write|\beval\(`).FindString(string(source)); found != "" {
			t.Errorf("%s has %q: names of rooms and users are strangers' text", name, found)
		}
	}
}
