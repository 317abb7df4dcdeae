// Package docs holds pages and no code: its test reads them, and those of the rest of the repository.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	fence   = regexp.MustCompile(`^\s*(>\s*)?` + "```")
	code    = regexp.MustCompile("`[^`]*`")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)|(?:href|src)="([^"]+)"`)
	text    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`) // of a link within a heading
	heading = regexp.MustCompile(`^#{1,6} (.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

	// Pages that are read elsewhere, such as the client's on npm, name those of the repository in full.
	ours = regexp.MustCompile(`^https://github\.com/roomgate/roomgate/(?:blob|tree)/main/`)
	away = regexp.MustCompile(`^[a-z]+:`)
)

// page is what links of a Markdown file go to, and where one may end in it.
type page struct {
	links   []string
	anchors map[string]bool
}

const root = ".."

// contents are those of all Markdown files of the repository, by path.
func contents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == ".git" || name == "node_modules" || name == "dist" || name == "bin") {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[path] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := all[filepath.Join(root, "README.md")]; !ok {
		t.Fatal("the README was not found")
	}
	return all
}

func TestLinksOfAllPagesLeadSomewhere(t *testing.T) {
	pages := map[string]page{}
	for path, content := range contents(t) {
		pages[path] = read(content)
	}
	count := 0
	for path, from := range pages {
		for _, target := range from.links {
			base := filepath.Dir(path)
			if rest := ours.ReplaceAllString(target, ""); rest != target {
				base, target = root, rest
			}
			if away.MatchString(target) || strings.HasPrefix(target, "//") {
				continue
			}
			count++
			file, anchor, anchored := strings.Cut(target, "#")
			to := path
			if file != "" {
				to = filepath.Join(base, filepath.FromSlash(file))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: there is no such file", path, target)
			} else if anchored && !pages[to].anchors[anchor] {
				t.Errorf("%s links to %s: no heading of %s has that anchor", path, target, to)
			}
		}
	}
	if count < 100 {
		t.Errorf("%d links within the repository were found, want 100 at least", count)
	}
}

// read finds the links and the headings of a page, but for what is code.
func read(content string) page {
	p := page{anchors: map[string]bool{}}
	inCode := false
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\r\n")
		if fence.MatchString(line) {
			inCode = !inCode
			continue
		}
		if inCode {
			continue
		}
		if h := heading.FindStringSubmatch(line); h != nil {
			p.anchors[free(p.anchors, slug(h[1]))] = true
		}
		for _, l := range link.FindAllStringSubmatch(code.ReplaceAllString(line, ""), -1) {
			p.links = append(p.links, l[1]+l[2]+l[3])
		}
	}
	return p
}

// slug is the anchor that GitHub gives to a heading.
func slug(heading string) string {
	heading = strings.ToLower(text.ReplaceAllString(heading, "$1"))
	return strings.ReplaceAll(dropped.ReplaceAllString(heading, ""), " ", "-")
}

// free is the anchor of a heading whose text others on its page have, too: GitHub counts them.
func free(taken map[string]bool, anchor string) string {
	free := anchor
	for i := 1; taken[free]; i++ {
		free = anchor + "-" + strconv.Itoa(i)
	}
	return free
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	p := read("# The fields of /overview.json\n## `rooms.auto`, [more](x.md)\n## Same\n## Same\n```\n# code\n```\n[a](#b) `[c](#d)` ![e](f.png) <a href=\"g.md\">\n[h]: i.md\n")
	for _, want := range []string{"the-fields-of-overviewjson", "roomsauto-more", "same", "same-1"} {
		if !p.anchors[want] {
			t.Errorf("no anchor %s in %v", want, p.anchors)
		}
	}
	if got := len(p.anchors); got != 4 {
		t.Errorf("%d anchors, want 4: %v", got, p.anchors)
	}
	if got, want := strings.Join(p.links, " "), "x.md #b f.png g.md i.md"; got != want {
		t.Errorf("links %q, want %q", got, want)
	}
}
