# Tillway. Two commands matter: `make run` and `make test`. `make help` lists the rest.
# Everything that is built goes to bin/, everything that the running stack writes goes to run/.

GO            ?= go
LINT_VERSION  := v2.15.0
TOOLS         := $(CURDIR)/bin/tools
LINT          := $(TOOLS)/golangci-lint
SEEDS         ?= 1000
SEED          ?= 1
FUZZTIME      ?= 10s
STATES        ?= 10000
# The build must also work in a checkout that git calls somebody else's; releases stamp their own version.
GOBUILD       := $(GO) build -buildvcs=false
# The secure module is pure Go, and wipes what it used where the platform's runtime can.
PLATFORM      := $(shell $(GO) env GOOS 2>/dev/null)/$(shell $(GO) env GOARCH 2>/dev/null)
SECRET        := $(if $(filter linux/amd64 linux/arm64,$(PLATFORM)),runtimesecret)

.DEFAULT_GOAL := help
.PHONY: help footprint deps deps-ops deps-screen build run demo screen screenshots test race test-packaging deps-packaging check fmt fmt-check vet lint lint-tool fuzz sim crash mutants memory bench deps-usb test-usb release test-pcsc deps-deb test-deb clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what is missing to build (says what and why first)
	@GO='$(GO)' sh make/deps.sh

build: deps ## every command into bin/
	@mkdir -p bin
	$(GOBUILD) -o bin/ ./cmd/...
	CGO_ENABLED=0 $(GOBUILD) -o bin/ ./cmd/pos
	CGO_ENABLED=0 GOEXPERIMENT=$(SECRET) $(GOBUILD) -o bin/ ./cmd/keyd

run: build ## build, start host simulator, reader emulator and terminal, and stay up
	@exec bin/demo run

demo: build ## the same stack in a temporary folder, scripted, with a summary
	@exec bin/demo

deps-screen: ## install what the screen's tests need: Node, a browser, npm's packages (says what is not checked without)
	@sh make/deps-screen.sh

deps-ops: ## install what the tests of figures and alerts need: promtool (says what is not checked without)
	@sh make/deps-ops.sh

screen: deps deps-screen ## bundle the cashier's screen: till/screen/src into till/screen/dist
	$(GO) run -buildvcs=false ./till/screen/bundle

screenshots: deps deps-screen ## the pictures of docs/screens and docs/first-use, taken anew of the running stack
	$(GO) test -count=1 -run '^TestBrowser$$' ./cmd/demo -browser.pictures '$(CURDIR)/docs'

test: deps deps-screen ## every test that a fresh machine can run
	$(GO) test ./...

deps-packaging: ## fetch what the packages' own module takes, which no terminal carries
	cd packaging/deb && $(GO) mod download

test-packaging: ## the tests of what makes the Debian packages, a module of its own
	cd packaging/deb && $(GO) vet ./... && $(GO) test -race ./...

race: deps deps-screen ## the tests with the race detector
	$(GO) test -race -timeout 15m ./...

check: ## what CI runs: format, vet, lint, tests with -race, fuzzing, simulation, demo
	@.ci/run

fmt: $(LINT) ## format everything
	$(LINT) fmt ./...
	cd packaging/deb && $(LINT) fmt ./...

fmt-check: $(LINT)
	$(LINT) fmt --diff ./...
	cd packaging/deb && $(LINT) fmt --diff ./...

vet: deps
	$(GO) vet ./...

lint-tool: $(LINT)

lint: $(LINT) ## golangci-lint, pinned
	$(LINT) run ./...
	cd packaging/deb && $(LINT) run ./...

fuzz: deps ## each fuzz target for FUZZTIME (10s)
	@GO='$(GO)' sh make/fuzz.sh '$(FUZZTIME)'

sim: deps ## the seeded simulation of the whole terminal: SEEDS (1000) from SEED (1) on, 3 in 100 of them also long and in SQLite
	@GO='$(GO)' sh make/sim.sh '$(SEEDS)' '$(SEED)'

crash: deps ## what power cuts leave of journal and ledger: STATES (10000) crash states of each, opened and checked; needs root and /dev/fuse
	@GO='$(GO)' sh make/crash.sh '$(STATES)'

mutants: deps ## switch security rules off, one at a time: the test that SECURITY.md names has to fail
	$(GO) test -count=1 -timeout 15m -run '^TestMutants$$' -v . -mutants

memory: deps ## search the memory of posd and keyd after 100 sales with PIN, and the disk, for PINs, keys and card numbers
	$(GO) test -count=1 -timeout 10m -run '^(TestScanFinds|TestScheduleIsWhatCiphersHold|TestMemoryHoldsNoKeyAndNoPIN)$$' -v ./cmd/demo -pin.sales 100

LIMIT ?= 3m
ONLY  ?=
deps-usb: deps ## install what is missing for test-usb
	@sh make/deps-usb.sh

test-usb: deps-usb ## readers, cables and cards in a virtual machine: the real posd on USB readers, under three minutes; ONLY="words|others" plays some
	@GO='$(GO)' sh make/test-usb.sh -limit '$(LIMIT)' -only "$(ONLY)"

test-pcsc: deps ## the PC/SC driver against Debian's pcscd, libccid, vsmartcard and opensc; installs them; needs root
	@GO='$(GO)' sh make/test-pcsc.sh

deps-deb: ## install what is missing for test-deb, and fetch a Debian into bin/deb
	@sh make/deps-deb.sh

test-deb: deps deps-deb ## the Debian packages in a Debian of their own: installed, sold with, upgraded, not downgraded, removed, purged; needs root
	@GO='$(GO)' sh make/test-deb.sh

ARCHES ?= amd64 arm64
release: deps deps-packaging ## archives, Debian packages and lists of parts for amd64 and arm64 into dist/, with checksums; SIGN_KEY=FILE signs them
	@GO='$(GO)' ARCHES='$(ARCHES)' sh make/release.sh

footprint: deps ## memory and processor time of posd and keyd, idle and after 10,000 sales through the whole terminal: half an hour
	$(GO) test -count=1 -timeout 90m -run '^$$' -bench '^BenchmarkFootprint$$' -benchtime 1x ./cmd/demo -footprint.sales 10000

bench: deps ## benchmarks: one line each, name value unit, and the ratio to the named peer
	@$(GO) run -buildvcs=false ./cmd/bench

clean: ## remove bin/ (run/ holds the journal: remove that by hand)
	rm -rf bin

# A golangci-lint of the pinned version that is on the PATH is taken as it is; else it is built here, once.
$(LINT): Makefile
	@mkdir -p $(TOOLS)
	@have=$$(command -v golangci-lint || true); \
	if [ -n "$$have" ] && "$$have" version 2>/dev/null | grep -q ' version $(LINT_VERSION:v%=%) '; then \
		ln -sf "$$have" $@; touch -h $@; \
	else \
		echo "building golangci-lint $(LINT_VERSION) into bin/tools (once; a few minutes)"; \
		GOBIN='$(TOOLS)' GOFLAGS= $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION); \
	fi
