# Every target that CI runs is here, so that nothing lives only in CI.

GO        ?= go
BIN       ?= bin
# Every module of go.work: as packages, and as folders.
PKGS      ?= work
MODULES    = $(shell $(GO) list -m -f '{{.Dir}}')
FUZZTIME  ?= 30s
LINT       = $(BIN)/golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this list
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build both programs into bin/
	$(GO) build -o $(BIN)/ ./cmd/evalworker ./cmd/emitter

IMAGE     ?= evalworker
CA_BUNDLE ?= /etc/ssl/certs/ca-certificates.crt
FILES     ?= $(BIN)/image

# What programs and image say of their sources. An archive has no version control: name them there.
VERSION   ?= $(shell git describe --tags --match 'v[0-9]*' 2>/dev/null || echo devel)
REVISION  ?= $(shell git rev-parse HEAD 2>/dev/null)
MODIFIED  ?= $(if $(shell git status --porcelain 2>/dev/null | head -1),true,false)
CREATED   ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
STAMP      = github.com/evalworker/evalworker/internal/cli
IMAGE_ARGS = --build-arg VERSION='$(VERSION)' --build-arg REVISION='$(REVISION)' --build-arg MODIFIED='$(MODIFIED)' --build-arg CREATED='$(CREATED)'

.PHONY: image
image: image-files ## Build the image $(IMAGE) with Docker, from local files only
	docker build -t $(IMAGE) --target local $(IMAGE_ARGS) -f deploy/Dockerfile $(FILES)

.PHONY: image-source
image-source: ## Build the image $(IMAGE) with Docker, in golang's image from a registry
	docker build -t $(IMAGE) $(IMAGE_ARGS) -f deploy/Dockerfile .

# The files of the image: those of root, and under owned what its user owns in /var/lib. One commit gives the same
# files on every machine that has the same version of Go and CA_BUNDLE.
.PHONY: image-files
image-files: $(BIN)/sbom ## Build what the image holds, with its bill of materials, into $(FILES)
	rm -rf $(FILES) && mkdir -p $(FILES)/root/usr/local/bin $(FILES)/root/etc/ssl/certs $(FILES)/root/usr/share/doc/evalworker
	mkdir -p $(FILES)/owned/evalworker $(FILES)/owned/emitter && mkdir -m 1777 $(FILES)/root/tmp
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -buildvcs=false -o $(FILES)/root/usr/local/bin/ \
	  -ldflags '-s -w -X $(STAMP).version=$(VERSION) -X $(STAMP).revision=$(REVISION) -X $(STAMP).modified=$(MODIFIED)' ./cmd/evalworker ./cmd/emitter
	install -m 644 $(CA_BUNDLE) $(FILES)/root/etc/ssl/certs/ca-certificates.crt
	$(BIN)/sbom -version '$(VERSION)' -created '$(CREATED)' -dir $(FILES)/root/usr/share/doc/evalworker \
	  $(FILES)/root/usr/local/bin/evalworker $(FILES)/root/usr/local/bin/emitter

$(BIN)/sbom: tools/go.mod $(wildcard tools/sbom/*.go)
	cd tools && $(GO) build -o $(abspath $(BIN))/sbom ./sbom

# Without a workspace: in one, modules that compose does not need take part in choosing versions, and clash.
$(BIN)/docker-compose: tools/compose/go.mod
	cd tools/compose && GOWORK=off $(GO) build -o $(abspath $(BIN))/docker-compose github.com/docker/compose/v2/cmd

.PHONY: compose-check
compose-check: ## Run deploy/compose.yaml with Docker: every event is evaluated, and a stop loses none
	cd test/deploy && $(GO) test -count=1 -v -run '^TestCompose' .

.PHONY: image-check
image-check: ## Build and run the image, check its labels and bill of materials, and build its files again: they are the same
	cd test/deploy && $(GO) test -count=1 -v -run '^TestImage' .

.PHONY: demo
demo: ## Run the whole loop in one process
	$(GO) run ./cmd/evalworker demo

.PHONY: test
test: ## Run all tests
	$(GO) test $(PKGS)

.PHONY: short
short: ## Run the quick tests: no process is killed
	$(GO) test -short $(PKGS)

.PHONY: race
race: ## Run all tests under the race detector
	$(GO) test -race $(PKGS)

.PHONY: kill
kill: ## Kill workers under load and count what is lost and repeated
	$(GO) test -count=1 -v -run 'TestKill' ./kafka/consumer/...

PKG ?= ./sidecar ./internal/serve ./kafka/consumer ./cmd/emitter

.PHONY: flakes
flakes: ## Run the tests of PKG five times on one CPU beside 15 busy loops, and print which failed (RUNS=5, LOOPS=15, PKG=./sidecar)
	RUNS='$(or $(RUNS),5)' LOOPS='$(or $(LOOPS),15)' GO=$(GO) BIN=$(BIN) tools/underload.sh $(PKG)

ROWS ?= all

.PHONY: faults
faults: ## Run the program under faults on Apache Kafka (ROWS=sigkill,sigterm; OUT=docs/reliability.md)
	$(GO) test ./test/faults -run '^TestFaults$$' -v -count=1 -timeout 120m -faults.rows='$(ROWS)' $(if $(OUT),-faults.out='$(abspath $(OUT))')

.PHONY: faults-short
faults-short: ## Run the rows of faults that CI runs
	@$(MAKE) --no-print-directory faults ROWS=ci

TIME = 10m

.PHONY: soak-churn
soak-churn: ## Run two workers while partitions, configuration, prompts, store, judge and agent change (TIME=90s; OUT=docs/reliability.md)
	$(GO) test ./test/faults -run '^TestChurn$$' -v -count=1 -timeout 60m -faults.churn=$(TIME) $(if $(OUT),-faults.out='$(abspath $(OUT))')

.PHONY: upgrade
upgrade: ## Run programs of earlier commits beside this one, and this one beside a newer one, and go back: one group, one store, no event lost
	EVALWORKER_TEST_UPGRADE=1 $(GO) test ./test/upgrade -count=1 -v -timeout 20m

.PHONY: peers
peers: ## Test deploy/ with Helm's engine and Docker, Terraform's language and the types of Datadog's API, and spans with Datadog's own trace agent: modules of their own
	cd test/deploy && $(GO) vet ./... && $(GO) test -count=1 -timeout 25m ./...
	cd test/terraform && $(GO) vet ./... && $(GO) test -count=1 ./...
	cd test/datadog && $(GO) vet ./... && $(GO) test -count=1 ./...
	cd test/agent && $(GO) vet ./... && $(GO) test ./...

.PHONY: clients
clients: ## Test the clients for Python, Node.js and Java with the providers' own libraries
	python3 -m venv $(BIN)/python && $(BIN)/python/bin/pip install -q --disable-pip-version-check -r clients/python/tests/requirements.txt
	cd clients/python && '$(abspath $(BIN))'/python/bin/python -m pytest -q
	cd clients/node && npm install --no-audit --no-fund --silent && npm test --silent
	cd clients/java && mvn -q test

.PHONY: clients-e2e
clients-e2e: ## Run programs with the providers' libraries, from the request to the span of its score
	EVALWORKER_TEST_CLIENTS=required $(GO) test ./test/clients -count=1 -v -timeout 15m

.PHONY: recipes
recipes: ## Run the commands of docs/publish.md and the services of examples/, with packages from PyPI, npm and Maven
	EVALWORKER_TEST_RECIPES=1 $(GO) test ./test/recipes -count=1 -timeout 15m

.PHONY: apidiff
apidiff: ## Compare what applications import with the last release
	tools/apidiff.sh

.PHONY: bench
bench: ## Measure a worker on a real broker, beside a bare reader; ratios in one run
	$(GO) run ./bench

.PHONY: soak
soak: ## Measure a worker's memory after ten minutes of load
	$(GO) run ./bench -only soak

.PHONY: scale
scale: ## Simulate fleets of up to 64 workers and write the tables of docs/scaling.md
	$(GO) test ./kafka/consumer -run '^TestScale$$' -count=1 -update

.PHONY: bench-hot
bench-hot: ## Run the benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./sampler ./kafka/fetch ./kafka/consumer ./pipeline

FILE      ?= validators/testdata/refusals.ndjson
EVALUATOR ?= refusal
LABELS    ?= label

.PHONY: measure
measure: ## Compare a validator with the labels of a file (FILE=..., EVALUATOR=refusal, LABELS=label)
	$(GO) run ./cmd/evalworker eval '$(FILE)' --labels '$(LABELS)' --evaluator '$(EVALUATOR)'

# Each fuzz target, as folder:name.
FUZZ = $(shell grep -rE '^func Fuzz' --include='*_test.go' --exclude-dir=$(BIN) . | sed -E 's,^\./(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*,\1:\2,')
fuzz = set -e; for each in $(1); do GO=$(GO) tools/fuzz.sh ./$${each%%:*} $${each\#\#*:} $(FUZZTIME); done

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s)
	@$(call fuzz,$(FUZZ))

# Texts of other people, in which nothing should be found: Go's own source and modules that the build needs.
REDACT_CORPUS ?= $(shell $(GO) env GOROOT)/src:$(shell $(GO) list -m -f '{{.Dir}}' google.golang.org/protobuf):$(shell $(GO) list -m -f '{{.Dir}}' golang.org/x/text):$(shell $(GO) list -m -f '{{.Dir}}' golang.org/x/tools)

.PHONY: redact-corpus
redact-corpus: ## Print how often secrets and personal data are found in REDACT_CORPUS
	REDACT_CORPUS=$(REDACT_CORPUS) $(GO) test ./redact -run TestCorpus -v | grep 'texts ('

# What reads what comes from outside: events, headers, commit metadata, record batches, HTTP, configuration, replies of judges.
OUTSIDE = event:FuzzDecode event:FuzzAnswer event:FuzzCalls event:FuzzReplaceMedia sampler:FuzzDecideHeaders kafka/consumer:FuzzMetadata kafka/fetch:FuzzRecords \
	sidecar:FuzzIngest internal/config:FuzzLoad judges:FuzzParse judges/model:FuzzReply redact:FuzzShown

.PHONY: fuzz-outside
fuzz-outside: ## Run the fuzz targets of what comes from outside for FUZZTIME (30s)
	@$(call fuzz,$(OUTSIDE))

.PHONY: fuzz-inside
fuzz-inside: ## Run the other fuzz targets for FUZZTIME (30s)
	@$(call fuzz,$(filter-out $(OUTSIDE),$(FUZZ)))

$(LINT): tools/go.mod
	cd tools && $(GO) build -o ../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lint
lint: $(LINT) ## Run golangci-lint, which runs go vet's checks too, and go vet on modules of their own
	cd bench/decoders && $(GO) vet ./...
	cd tools && $(GO) vet ./sbom
	for module in $(MODULES); do (cd $$module && $(abspath $(LINT)) run ./...) || exit 1; done

$(BIN)/govulncheck: tools/go.mod
	cd tools && $(GO) build -o ../$(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck

.PHONY: vuln
vuln: $(BIN)/govulncheck ## Look for known vulnerabilities that the code can reach (asks vuln.go.dev)
	for module in $(MODULES); do (cd $$module && $(abspath $(BIN)/govulncheck) ./...) || exit 1; done

.PHONY: fmt
fmt: $(LINT) ## Format the code
	$(LINT) fmt

tidy = for module in $(MODULES); do (cd $$module && $(GO) mod tidy) || exit 1; done

.PHONY: generate
generate: ## Write the generated files: event schema, docs of metrics and configuration, pictures of dashboards
	$(GO) generate $(PKGS)

.PHONY: verify
verify: generate ## Fail when a generated file, the formatting or go.mod is stale
	$(tidy)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "not formatted: run make fmt"; exit 1; }
	git diff --exit-code

.PHONY: tidy
tidy: ## Tidy go.mod of every module
	$(tidy)
	cd tools && $(GO) mod tidy
	for module in deploy terraform datadog; do (cd test/$$module && $(GO) mod tidy) || exit 1; done
	cd test/agent && $(GO) mod tidy -e # a module that only tests of Datadog's agent import cannot be had

.PHONY: cover
cover: ## Print the test coverage of each package
	$(GO) test -short -cover $(PKGS)
