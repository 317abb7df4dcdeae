# make check is all that CI runs, and all that a laptop needs: Go, Node with npm, Chromium, and redis-server, nginx, HAProxy, Caddy and Python for the tests.
GO ?= go
LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NPM ?= npm
ACTIONLINT = $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
CYCLONEDX = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
GORELEASER = github.com/goreleaser/goreleaser/v2@v2.16.0

.PHONY: check test client web e2e lint fmt tidy needs needs-node secrecy fuzz hostile cycles chaos bench bench-peers bench-lanes bench-growth build image-check sbom release release-check release-tools rollout examples chart

check: tidy fmt lint client web test e2e ## everything below that must pass

build: ## bin/roomgate, static as it is released
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/roomgate ./cmd/roomgate

image-check: ## builds the image without Docker or a registry, looks into it and runs it (Linux, root, buildah)
	@[ "$$(uname)" = Linux ] || { echo "An image of Linux is run on Linux: docker build . works elsewhere, too."; exit 1; }
	@command -v buildah >/dev/null || { echo "The image is built with buildah: apt-get install buildah"; exit 1; }
	cd image && $(GO) test -count=1 -timeout 10m -v .

sbom: build ## bin/roomgate.cdx.json: what bin/roomgate was linked from, as CycloneDX
	$(GO) run $(CYCLONEDX) bin -json -std -output bin/roomgate.cdx.json bin/roomgate

release-tools:
	GOBIN=$(CURDIR)/bin/tools $(GO) install $(GORELEASER)
	GOBIN=$(CURDIR)/bin/tools $(GO) install $(CYCLONEDX)

release-check: release-tools ## everything of a release, into dist, and a look at it; publishes nothing (dpkg-deb, rpm)
	PATH="$(CURDIR)/bin/tools:$$PATH" goreleaser check
	PATH="$(CURDIR)/bin/tools:$$PATH" goreleaser release --snapshot --clean
	packaging/check.sh

release: release-tools ## publishes the tag that is checked out: what .github/workflows/release.yml runs
	PATH="$(CURDIR)/bin/tools:$$PATH" goreleaser release --clean

node_modules: package-lock.json
	PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 $(NPM) ci --no-audit --no-fund
	@touch $@

web: needs-node node_modules ## the pages that roomgate serves, from their sources; fails if web/dist, which is committed, was another
	$(NPM) run -w web typecheck
	$(NPM) run -w web test
	$(NPM) run -w web build
	git diff --exit-code --stat web/dist
	@[ -z "$$(git status --porcelain web/dist)" ] || { echo "web/dist is not what its sources make: commit it"; exit 1; }

e2e: needs-node needs node_modules build ## the pages in Chromium, with roomgate and Redis behind them
	$(NPM) run -w client build
	$(NPM) run -w web e2e

needs: ## says what the tests lack
	@command -v redis-server >/dev/null || { \
		echo "The tests run against a real Redis. Install redis-server:"; \
		echo "  Debian, Ubuntu: apt-get install redis-server      macOS: brew install redis"; exit 1; }
	@for proxy in nginx haproxy caddy; do \
		command -v $$proxy >/dev/null || [ -x /usr/sbin/$$proxy ] || { \
		echo "docs/examples is tested with the real proxies. Install $$proxy:"; \
		echo "  Debian, Ubuntu: apt-get install nginx-light haproxy caddy      macOS: brew install nginx haproxy caddy"; exit 1; }; done

needs-node: ## says whether Node is there to build the client
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v $(NPM) >/dev/null || { \
		echo "The browser client is built and tested with Node 20 or newer, and npm. Install them:"; \
		echo "  Debian, Ubuntu: apt-get install nodejs npm      macOS: brew install node"; exit 1; }

client/runtimes/node_modules: client/runtimes/package-lock.json
	$(NPM) ci --no-audit --no-fund --ignore-scripts --prefix client/runtimes
	@touch $@

client: needs-node node_modules client/runtimes/node_modules build ## the browser client: types, tests (in Node 22 and Deno, too), its size, and what its package holds
	cd client && $(NPM) run build && $(NPM) run typecheck && $(NPM) test && $(NPM) run pack-check

test: needs examples ## tests with the race detector, of all modules, and the chaos suite in its short form
	$(GO) test -race -timeout 10m ./...
	cd bench && $(GO) vet ./... && $(GO) test ./...
	cd chaos && $(GO) test -count=1 -race -timeout 10m -parallel 6 ./...
	cd charts/test && $(GO) test -count=1 ./...

examples: needs needs-node node_modules ## the examples: each API with roomgate and Redis, the compose file, the sidecar
	cd examples/go && $(GO) vet ./...
	cd examples/test && $(GO) vet ./... && $(GO) test -count=1 -race -timeout 10m ./...

chaos: needs ## Redis and roomgate broken in each way of chaos/README.md, one after another: 45 minutes (Linux, root)
	cd chaos && CHAOS_FULL=1 $(GO) test -count=1 -timeout 90m -v .

rollout: needs ## three replicas are replaced behind nginx, under 3,000 clients; prints how these come back: 5 minutes (Linux)
	cd chaos && CHAOS_FULL=1 $(GO) test -count=1 -timeout 15m -v -run '^TestChaosRollout' .

chart: needs ## the Helm chart: renders it in many ways, and runs its alerts over the metrics of a real gateway
	cd charts/test && $(GO) test -count=1 ./...

secrecy: needs ## greps all that the tests log, count and are told, which the tests themselves look at as they run
	GO="$(GO)" internal/secrecy/grep.sh

fmt: ## fails on a file that gofmt would change
	@out=$$(gofmt -l $$(find . -name node_modules -prune -o -name '*.go' -print)); [ -z "$$out" ] || { echo "gofmt -w these:"; echo "$$out"; exit 1; }

lint: ## vet, also for the systems that only build, and golangci-lint
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	$(LINT) run ./...
	cd chaos && $(LINT) run --config ../.golangci.yml ./...
	cd image && $(LINT) run --config ../.golangci.yml ./...
	$(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml
	cd examples/go && $(LINT) run --config ../../.golangci.yml ./...
	cd examples/test && $(LINT) run --config ../../.golangci.yml ./...
	cd charts/test && $(LINT) run --config ../../.golangci.yml ./...

tidy: ## fails if go.mod is not tidy
	$(GO) mod tidy -diff
	cd bench && $(GO) mod tidy -diff
	cd chaos && $(GO) mod tidy -diff
	cd image && $(GO) mod tidy -diff
	cd examples/go && $(GO) mod tidy -diff
	cd examples/test && $(GO) mod tidy -diff
	cd charts/test && $(GO) mod tidy -diff

fuzz: ## every fuzz target for FUZZTIME each (default 20s)
	@set -e; for pkg in auth gateway internal/load internal/redisurl cmd/roomgate; do \
		for f in $$(grep -ho 'func Fuzz[A-Za-z0-9]*' $$pkg/*_test.go | sed 's/func //'); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $${FUZZTIME:-20s} -fuzzminimizetime 5x ./$$pkg; \
		done; done

hostile: needs ## 1,000 honest clients beside attackers for HOSTILE_DURATION (default 60s), twice (Linux)
	ROOMGATE_HOSTILE_DURATION=$${HOSTILE_DURATION:-60s} $(GO) test -count=1 -timeout 30m -v -run '^TestHostileClients' ./cmd/roomgate

cycles: needs ## memory and goroutines after CYCLES connections (default 100000) have come and gone (Linux)
	ROOMGATE_CYCLES=$${CYCLES:-100000} $(GO) test -count=1 -timeout 30m -v -run '^TestHostileCycles' ./cmd/roomgate

bench: ## CPU per delivery in multiples of the floor, and memory per idle connection (Linux)
	cd bench && $(GO) run . fanout && $(GO) run . idle -idle-connections 0

bench-peers: ## roomgate beside its peers, into docs/benchmarks.md: 30 minutes (Linux)
	cd bench && $(GO) run . peers

bench-lanes: ## both ends of the rule for who runs a lane, into docs/benchmarks.md: 5 minutes (Linux)
	cd bench && $(GO) run . lanes

bench-growth: ## how costs grow, a giant room, clients that never read, into docs/benchmarks.md: 21 minutes (Linux)
	cd bench && $(GO) run . growth && $(GO) run . giant && $(GO) run . slow
