# The commands of this project: `make` alone lists them, and CI runs the same ones.
# What they install is kept in .local/tools and infra/node_modules, what they make
# in build/ and cdk.out/. Nothing is done again while what it is made of is the same.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# Nothing is done with a variable that a command does not know, or with a value that it
# cannot have: .ci/variables has the tables.
quote = '$(subst ','\'',$(1))'
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(call quote,$(name)=$(value $(name)))))
GOALS := $(foreach goal,$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL)),$(call quote,$(goal)))
ifneq ($(shell .ci/variables check $(GIVEN) -- $(GOALS)),ok)
$(error nothing was done; make alone lists the commands and their variables)
endif

BEGAN := $(shell date +%s)
GO := $(shell go env GOVERSION GOARCH 2>/dev/null)
HOST := $(word 2,$(GO))

ARCH ?= $(HOST)
PORT ?= 4566
DISCOVERY ?= loadbalancer
STAGE ?= dev
STARTS ?= 300
CLIENTS ?= 20
DURATION ?= 30
TEST_PORT ?= 4570

# The local endpoint: ministack, which carries the whole platform and is what runs by
# default, or localstack; tests run on both. The third needs Docker and a token, see
# $(LOCALSTACK)/compose.yaml.
ENDPOINT ?=
ENDPOINTS := ministack localstack localstack-image
ONE := $(or $(ENDPOINT),ministack)

MINISTACK := localstack/internal/endpoint/ministack
LOCALSTACK := localstack/internal/endpoint/localstack

GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := .local/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)-$(word 1,$(GO))/golangci-lint
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := .local/tools/govulncheck-$(GOVULNCHECK_VERSION)-$(word 1,$(GO))/govulncheck

EVENT_RULER := .local/tools/event-ruler

ASYNCAPI_VERSION := 6.2.0
ASYNCAPI := .local/tools/asyncapi-$(ASYNCAPI_VERSION)

# For what is built in turn: linking takes most of the time and does not fill two
# cores by itself. The programs needed have been looked for by then.
SUBMAKE = PREFLIGHT=done $(MAKE) -s $(if $(filter -j%,$(MAKEFLAGS)),,-j2)

.PHONY: help
help: ## This list
	@.ci/variables help $(firstword $(MAKEFILE_LIST))

.PHONY: preflight preflight-test
preflight:
	@[[ -n "$${PREFLIGHT-}" ]] || .ci/preflight $(filter localstack,$(ENDPOINT))
preflight-test:
	@.ci/preflight cc $(filter localstack,$(ENDPOINT))

# --- Run and test ----------------------------------------------------------------

# The tools below call make themselves; what this make was told is not for them.
ALONE := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

.PHONY: run
run: preflight ## The platform on this machine, with one order placed
	@$(ALONE) go run ./localstack/cmd/up -port $(PORT) -endpoint $(ONE) -discovery $(DISCOVERY) $(if $(filter 1,$(ONESHOT)),-oneshot)

TALLY := .local/bin/tally
PARTS := unit plain architecture synth
RESULT = .local/results/$(@:test-%=%).json
RECORD = $(TALLY) -record $(RESULT) --

# The tier: test-full sets TRADEWIND_FULL=1, by which the suites know it too.
FULL := $(filter 1,$(TRADEWIND_FULL))
GO_TEST := go test -json -timeout $(if $(FULL),90m,20m)

# By default every process with the race detector waits a second before it ends, for
# races of its last moments; the tests of the tools start a hundred processes.
export GORACE := atexit_sleep_ms=10

# The flows and the conformance have a MiniStack each, and LocalStack begins when the
# shorter of the two is through: two at a time leave two cores some rest. A service has a
# second to answer another, which a machine with other work may miss: make -j1 test runs
# one suite after the other, and so do CI and test-full. What several suites need is made
# before, by one.
suites-ministack := ministack conformance
suites-localstack := localstack $(if $(FULL),conformance-localstack)
SUITES := $(ENDPOINTS:%=test-%) test-conformance test-conformance-localstack

.PHONY: test test-full $(PARTS:%=test-%) $(SUITES)
test: preflight-test ## What decides whether a change is good, in minutes: unit and race, architecture, templates, stores, flows and contract on running endpoints
	@rm -rf .local/results
	@$(SUBMAKE) $(TALLY)
	@endpoints="$(ENDPOINT)"; lack=; \
	  if [[ -z $$endpoints ]]; then \
	    endpoints=ministack; \
	    if lack=$$(.ci/preflight localstack 2>&1); then endpoints+=" localstack"; \
	    else lack="not run on LocalStack, for which these are missing (make test ENDPOINT=localstack insists):"$$'\n'"$$lack"; echo "$$lack" >&2; fi; \
	  fi; \
	  suites=; \
	  for endpoint in $$endpoints; do case $$endpoint in \
	    ministack) suites+="$(suites-ministack) " ;; \
	    localstack) suites+="$(suites-localstack) " ;; \
	    *) suites+="$$endpoint " ;; \
	  esac; done; \
	  export PREFLIGHT=done; \
	  env -u MAKEFLAGS $(MAKE) -s -k $(PARTS:%=test-%) || true; \
	  for endpoint in $$endpoints; do env -u MAKEFLAGS $(MAKE) -s tools ENDPOINT=$$endpoint || true; done; \
	  env -u MAKEFLAGS $(MAKE) -s synth-local || true; \
	  $(MAKE) -s $(if $(filter -j%,$(MAKEFLAGS)),,-j2) -k $$(printf 'test-%s ' $$suites) || true; \
	  [[ -z $$lack ]] || echo "$$lack"; \
	  $(TALLY) -began $(BEGAN) $(PARTS:%=.local/results/%.json) $$(printf '.local/results/%s.json ' $$suites)

test-full: ## Everything, in hours: every suite whole on every endpoint, discovery with failing instances, the large runs
	@TRADEWIND_FULL=1 $(MAKE) -j1 test

# Not over infra: the CDK takes minutes to compile once, and has no races of ours.
test-unit: $(TALLY) | preflight-test
	@$(RECORD) $(GO_TEST) -race $$(go list ./events/... ./functions/... ./shared/... ./localstack/... \
	  | grep -v -e /localstack/suites/integration -e /localstack/suites/conformance -e /functions/sagatest)

# What the race detector would slow down for nothing, or falsify: thousands of orders one
# at a time, and budgets of time and allocations.
test-plain: $(TALLY) | preflight
	@$(RECORD) $(GO_TEST) ./functions/sagatest ./functions/orders/internal/httpapi ./shared/lambdahttp ./shared/logs ./shared/client

# Never from the cache, which does not see what the child `go list` read.
test-architecture: $(TALLY) | preflight
	@$(RECORD) $(GO_TEST) -count=1 ./infra/archtest

# Event patterns are tried by Amazon's own matcher where a JDK and Maven are at hand.
# Elsewhere that test is skipped, and says so.
test-synth: $(TALLY) | preflight
	@if .ci/preflight jdk 2>/dev/null; then $(SUBMAKE) $(EVENT_RULER)/.installed; fi
	@$(RECORD) $(GO_TEST) $$(go list ./infra/... | grep -v /infra/archtest)

# The suites of the stores, which skip themselves without an endpoint, and the flows. In
# the short tier LocalStack runs the flows of the contract; the page of differences is
# made of what both say in the long one.
# Each line says where it comes from; Ctrl-C ends what writes them and not who passes
# them on.
beside = @$(ALONE) go run ./localstack/cmd/up -endpoint $(1) -port $(2) -dir .local/$@ -- \
  $(RECORD) $(GO_TEST) -count=1 $(3) 2>&1 | (trap '' INT; exec sed -u 's/^/$(@:test-%=%): /')
STORES = $$(grep -rlE --include='*_test.go' 'DYNAMODB_ENDPOINT|tabletest\.(Both|Open)' functions shared | sed 's|\(.*\)/[^/]*$$|./\1|' | sort -u)
FLOWS = $(STORES) ./localstack/suites/differences ./localstack/suites/integration/...

test-ministack: $(TALLY) | preflight
	$(call beside,ministack,$(TEST_PORT),$(FLOWS))

test-localstack test-localstack-image: $(TALLY) | preflight-test
	$(call beside,$(@:test-%=%),$$(($(TEST_PORT) + 1)),$(FLOWS))

test-conformance: $(TALLY) | preflight
	$(call beside,ministack,$$(($(TEST_PORT) + 2)),./localstack/suites/conformance/...)

# Not in its large form, which takes LocalStack hours and shows nothing of it.
test-conformance-localstack: export TRADEWIND_FULL :=
test-conformance-localstack: $(TALLY) | preflight-test
	$(call beside,localstack,$$(($(TEST_PORT) + 3)),./localstack/suites/conformance/...)

# --- Operate ---------------------------------------------------------------------

# Commands of tradewind, which gets their variables as flags. Without STAGE= they work on
# the run on this machine.
OPERATE := redrive replay reconcile
.PHONY: $(OPERATE)
redrive: ## Dead letters back to where they should have been processed, or discarded
replay: ## Archived events to consumers once more
reconcile: ## Events onto the bus once more from the outboxes, where it may have lost some
$(OPERATE): .local/bin/tradewind
	@.ci/variables run $@

.PHONY: bench
bench: ## Each api function's start and size, and the kit's cost in a call, against the budgets
	@$(SUBMAKE) .local/bin/bare $(call binaries,$(HOST))
	@go run ./localstack/tools/bench -build build/$(HOST) -bare .local/bin/bare -starts $(STARTS) $(if $(README),-readme $(README))

.PHONY: load
load: preflight ## Orders on what make run runs: how many a second are accepted and decided, after how long, and what /health says meanwhile
	@go run ./localstack/tools/load -clients $(CLIENTS) -seconds $(DURATION)

.PHONY: slow
slow: preflight ## What becomes of orders while the catalog is slow, as a plot
	@$(ALONE) go run ./localstack/cmd/up -port $(TEST_PORT) -dir .local/slow -- go run ./localstack/tools/slow $(if $(README),-readme $(README))

# --- Build -----------------------------------------------------------------------

# A binary depends on its own sources only, so its bytes, and with them what a
# deployment replaces, change when those do. No path, no commit and no build id gets
# into it. The tags leave out what no function uses: Lambda's way of calling of years
# ago, and HTTP/2, which AWS's endpoints and the balancer do without (370 KB).
TAGS := lambda.norpc,nethttpomithttp2
LAMBDA := CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -tags $(TAGS) -ldflags "-s -w -buildid="
export LAMBDA

stems := $(patsubst functions/%/main.go,%,$(subst /cmd/,/,$(wildcard functions/*/cmd/*/main.go)))
binaries = $(stems:%=build/$(1)/%/bootstrap)

.PHONY: build
build: preflight ## Every function into build/<arch>/<service>/<function>/bootstrap, for this machine or for AWS (arm64)
	@$(SUBMAKE) $(call binaries,$(ARCH))

# $(call inputs,package): makes .local/deps/<target>.d, which lists the files of this
# module that the target is made of, and their folders for the sake of new files.
# Each is a target of its own too, so that one that was deleted stops nothing.
define inputs
@mkdir -p $(dir .local/deps/$@)
@go list -deps -f '{{if .Module}}{{if .Module.Main}}{{$$d := .Dir}}{{$$d}}{{range .GoFiles}} {{$$d}}/{{.}}{{end}}{{range .EmbedFiles}} {{$$d}}/{{.}}{{end}}{{end}}{{end}}' $(1) \
  | sed 's|$(CURDIR)/||g' | tr ' ' '\n' | awk '{ print "$@: " $$0; print $$0 ":" }' > .local/deps/$@.d
endef

# The first binary goes alone, with all cores, and fills the compiler's cache for
# the others.
define lambda
build/$(1)/%/bootstrap: go.mod go.sum .local/stamps/go .local/stamps/lambda | preflight
	@echo "build $$@"
	@GOARCH=$(1) $$(LAMBDA) -o $$@ ./functions/$$(*D)/cmd/$$(*F)
	$$(call inputs,-tags $$(TAGS) ./functions/$$(*D)/cmd/$$(*F))
$(wordlist 2,999,$(call binaries,$(1))): | $(firstword $(call binaries,$(1)))
endef
$(foreach arch,amd64 arm64,$(eval $(call lambda,$(arch))))

.local/bin/bare: go.mod go.sum .local/stamps/go .local/stamps/lambda | preflight
	@echo "build $@"
	@GOARCH=$(HOST) $(LAMBDA) -o $@ ./localstack/tools/bench/bare
	$(call inputs,./localstack/tools/bench/bare)

.local/bin/infra: go.mod go.sum .local/stamps/go | preflight
	@echo "build $@ (minutes the first time: the CDK is large)"
	@go build -o $@ ./infra
	$(call inputs,./infra)

.local/bin/localstack: go.mod go.sum .local/stamps/go | preflight
	@go build -o $@ ./localstack/cmd/localstack
	$(call inputs,./localstack/cmd/localstack)

.local/bin/tally: go.mod .local/stamps/go | preflight
	@go build -o $@ ./localstack/tools/tally
	$(call inputs,./localstack/tools/tally)

.local/bin/tradewind: go.mod go.sum .local/stamps/go | preflight
	@go build -o $@ ./shared/cmd/tradewind
	$(call inputs,./shared/cmd/tradewind)

-include $(patsubst %,.local/deps/%.d,.local/bin/bare .local/bin/infra .local/bin/localstack .local/bin/tally .local/bin/tradewind $(call binaries,amd64) $(call binaries,arm64))

# A stamp's text is what must not change, so it is written only when it did.
stamp = @mkdir -p $(@D); text="$$($(1))"; [[ -f $@ && "$$(<$@)" == "$$text" ]] || echo "$$text" > $@

.PHONY: FORCE
FORCE:
.local/stamps/go: FORCE | preflight
	$(call stamp,go version)
.local/stamps/lambda: FORCE
	$(call stamp,printenv LAMBDA)
.local/stamps/stage: FORCE
	$(call stamp,echo "$(STAGE_FILE)"; cat $(STAGE_FILE))
.local/stamps/discovery: FORCE
	$(call stamp,echo "$(DISCOVERY)")

# --- Templates -------------------------------------------------------------------

# What a stage on AWS depends on is in its file, and nothing of it on a command line,
# which the next one would forget.
STAGE_FILE = infra/stages/$(STAGE).yaml

.PHONY: synth synth-local check-stage
check-stage: | preflight
	@go run ./infra/stages/check $(STAGE_FILE)
synth: check-stage ## Templates and binaries for AWS and for the local endpoint into cdk.out/
	@$(SUBMAKE) cdk.out/aws/manifest.json cdk.out/local/manifest.json
synth-local: preflight ## Those for the local endpoint only
	@$(SUBMAKE) cdk.out/local/manifest.json

# The app is run as it is: the CDK's command line is needed to deploy, not to
# synthesise. The archives in .cache are kept, they are named by their content. At its
# end the CDK's runtime may report a child that was already waited for, which is no fault
# and is left out: the text and not its line, for it comes without a newline and the reason
# of a failure may follow on the same line. The shell waits for the end of a pipe.
synthesise = @echo "synth $(@D)"; mkdir -p $(@D); find $(@D) -mindepth 1 -maxdepth 1 ! -name .cache -exec rm -rf {} +; \
  { CDK_OUTDIR=$(@D) CDK_CONTEXT_JSON='$(CONTEXT)' $(VALIDATION) .local/bin/infra 2>&1 >&3 | sed -u 's/Runtime process exited abnormally: waitid: no child processes//' >&2; } 3>&1

cdk.out/aws/manifest.json: CONTEXT = {"stageFile": "$(STAGE_FILE)"}
cdk.out/aws/manifest.json: .local/bin/infra .local/stamps/stage $(call binaries,arm64)
	$(synthesise)
cdk.out/local/manifest.json: CONTEXT = {"local": "true", "discovery": "$(DISCOVERY)"}
# Ten seconds of the CDK's own rules; the templates for AWS, which these are bent
# from, are held to them.
cdk.out/local/manifest.json: VALIDATION = CDK_VALIDATION=false
cdk.out/local/manifest.json: .local/bin/infra .local/stamps/discovery $(call binaries,$(HOST))
	$(synthesise)

# The templates for AWS, to be checked and not to be deployed: the binaries are not copied
# beside them. What is shipped is one way to set a stage up, the others are for this.
CHECKED := infra/stages/dev.yaml $(wildcard infra/stages/testdata/*.yaml)
checked := $(patsubst %.yaml,cdk.out/check/%/manifest.json,$(notdir $(CHECKED)))
cdk.out/check/%/manifest.json: CONTEXT = {"stageFile": "$(filter %/$*.yaml,$(CHECKED))", "aws:cdk:disable-asset-staging": true}
cdk.out/check/%/manifest.json: .local/bin/infra $(CHECKED) $(call binaries,arm64)
	$(synthesise)

# Preflight says which Node.js will do; the banner of the CDK's runtime over version
# 20 would bury the errors.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# --- AWS -------------------------------------------------------------------------

# The CDK fails where it must ask and there is no terminal. APPROVE=never skips the
# questions, that before a stack is removed included, which every other value asks.
APPROVE ?= broadening

CDK := infra/node_modules/.bin/cdk
stack = $(if $(filter tradewind-%,$(STACK)),$(STACK),tradewind-$(STAGE)-$(STACK))
stacks = $(if $(STACK),--exclusively $(stack),--all)

ifneq ($(DRY_RUN),1)
deploying = $(CDK) deploy --app cdk.out/aws --require-approval $(APPROVE) --import-existing-resources $(stacks)
destroying = $(CDK) destroy --app cdk.out/aws $(if $(filter never,$(APPROVE)),--force) $(stacks)
else
# Templates are compared: to compare by change sets is to make some.
deploying = $(CDK) diff --method=template --app cdk.out/aws $(if $(STACK),$(stacks))
destroying = echo "would destroy" && $(if $(STACK),echo $(stack),$(CDK) list --app cdk.out/aws)
endif

.PHONY: deploy destroy
deploy: check-stage infra/node_modules/.installed ## To the AWS account of your credentials
	@$(SUBMAKE) cdk.out/aws/manifest.json
	@$(deploying)
destroy: check-stage infra/node_modules/.installed ## Away from there again, asking first
	@$(SUBMAKE) cdk.out/aws/manifest.json
	@$(destroying)

# --- Contracts -------------------------------------------------------------------

.PHONY: generate publish-events
generate: preflight ## What is made of contracts: the OpenAPI documents as JSON, the events' AsyncAPI document and catalogue
	@go run ./shared/openapi/generate
	@go run ./events/internal/generate
publish-events: preflight ## Promise the events as they are now to their consumers (refused where it breaks one)
	@go run ./events/internal/generate -publish

# The two descriptions of AWS come with tools that are installed anyway.
LIMITS = go run ./infra/awslimits/generate -schemas "$$(echo .local/tools/cfn-lint/lib/python*/site-packages)" -models "$$(echo .local/tools/venv/lib/python*/site-packages)"
.PHONY: limits
limits: .local/tools/cfn-lint/.installed .local/tools/venv/.installed ## What AWS allows of the properties in use, into infra/awslimits/constraints.json (after the first use of one, or of a new version)
	@$(SUBMAKE) $(checked)
	@$(LIMITS) $(checked:manifest.json=*.template.json)

# 440 MB and minutes to install, so not a part of check: its tests hold the document
# to the specification's schema. CI=true keeps the tool from reporting its use.
.PHONY: asyncapi
asyncapi: $(ASYNCAPI)/.installed ## The AsyncAPI project's own validator over events/asyncapi.json (installs it, minutes the first time)
	@CI=true ASYNCAPI_METRICS_CONFIG_PATH=$(CURDIR)/$(ASYNCAPI)/metrics NODE_ENV= SUPPRESS_NO_CONFIG_WARNING=1 \
	  $(ASYNCAPI)/node_modules/.bin/asyncapi validate events/asyncapi.json --fail-severity=warn
$(ASYNCAPI)/.installed: | preflight
	@echo "install $(@D)"
	@npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error @asyncapi/cli@$(ASYNCAPI_VERSION)
	@touch $@

# --- Check -----------------------------------------------------------------------

CHECKS := format generated vet lint comments tidy templates scan reproducible vulnerabilities

.PHONY: check $(CHECKS:%=check-%)
check: preflight ## Formatting, generated files, vet, lint, package comments, modules, templates and their security, reproducible binaries, known vulnerabilities
	@for check in $(CHECKS); do echo "check: $$check"; PREFLIGHT=done $(MAKE) -s check-$$check; done
	@echo "check: all good, in $$(($$(date +%s) - $(BEGAN))) s"

check-format:
	@found=$$(find events functions infra localstack shared -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +); \
	  [[ -z $$found ]] || { printf 'not formatted, run gofmt -w on:\n%s\n' "$$found" >&2; exit 1; }
check-generated:
	@go run ./shared/openapi/generate -check
	@go run ./events/internal/generate -check
check-vet:
	@go vet ./...
check-lint: $(GOLANGCI_LINT)
	@$< run
check-comments:
	@go test -count=1 -run '^TestPackageComments$$' ./infra/archtest
check-tidy:
	@go mod tidy -diff
check-templates: .local/tools/cfn-lint/.installed .local/tools/venv/.installed
	@$(SUBMAKE) $(checked)
	@.local/tools/cfn-lint/bin/cfn-lint -- $(checked:manifest.json=*.template.json)
	@$(LIMITS) -check $(checked:manifest.json=*.template.json)
check-scan: .local/tools/checkov/.installed .local/tools/cdk-nag/.installed
	@$(SUBMAKE) $(checked)
	@go run ./infra/scan -checkov .local/tools/checkov/bin/checkov -nag .local/tools/cdk-nag/node_modules $(checked:manifest.json=*.template.json)
check-reproducible:
	@$(SUBMAKE) $(call binaries,arm64)
	@$(SUBMAKE) .local/stamps/reproducible
check-vulnerabilities: $(GOVULNCHECK)
	@.ci/vulnerabilities $<

.local/stamps/reproducible: .ci/reproducible $(call binaries,arm64)
	@.ci/reproducible arm64
	@touch $@

# --- Tools -----------------------------------------------------------------------

.PHONY: tools
tools: preflight ## What the local endpoint and deployments need, into .local/tools and infra/node_modules
	@$(SUBMAKE) .local/tools/venv/.installed infra/node_modules/.installed \
	  $(if $(filter localstack,$(ENDPOINT)),.local/tools/localstack/.installed .local/tools/dynamodb/.installed .local/bin/localstack)

# The mark lies inside what it vouches for, so that removing one removes the other.
python = @echo "install $(@D)"; python3 -m venv --clear $(@D); \
  $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $<; touch $@

.local/tools/venv/.installed: $(MINISTACK)/requirements.txt | preflight
	$(python)
.local/tools/cfn-lint/.installed: infra/requirements.txt | preflight
	$(python)
.local/tools/checkov/.installed: infra/scan/requirements.txt | preflight
	$(python)

# LocalStack's packages depend on each other without bounds, so the list is whole and
# nothing that is not on it is looked for.
.local/tools/localstack/.installed: .ci/localstack-python $(wildcard $(LOCALSTACK)/requirements-*.txt) | preflight
	@echo "install $(@D) (100 MB, a minute or two the first time)"
	@read -r python release < <(.ci/localstack-python); \
	  $$python -m venv --clear $(@D); list=$(LOCALSTACK)/requirements-$$release.txt; \
	  $(@D)/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --no-deps --require-hashes -r $$list \
	    | awk -v all=$$(grep -c == $$list) '/^Collecting/ && ++n % 10 == 0 { print "  " n " of " all " packages"; fflush() }'
	@touch $@

# Exactly the files that are listed, and no other.
maven = @echo "install $(@D) ($(1))"; rm -rf $(@D); mkdir -p $(@D); \
  mvn -B -f $< org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D) -DincludeScope=runtime > $(@D).log \
    || { tail -n 20 $(@D).log >&2; exit 1; }; \
  diff <(ls $(@D)) <(awk '{ print $$2 }' $(<D)/SHA256SUMS) >&2; cd $(@D); sha256sum --quiet -c $(CURDIR)/$(<D)/SHA256SUMS; rm $(CURDIR)/$(@D).log; touch .installed

.local/tools/dynamodb/.installed: $(LOCALSTACK)/dynamodb/pom.xml $(LOCALSTACK)/dynamodb/SHA256SUMS | preflight
	$(call maven,50 MB)
$(EVENT_RULER)/.installed: infra/awslimits/eventruler/pom.xml infra/awslimits/eventruler/SHA256SUMS
	$(call maven,3 MB)

.local/tools/cdk-nag/.installed: infra/scan/package-lock.json infra/scan/package.json | preflight
	@echo "install $(@D)"
	@mkdir -p $(@D); cp $^ $(@D)
	@npm ci --prefix $(@D) --prefer-offline --no-audit --no-fund --loglevel=error
	@touch $@

infra/node_modules/.installed: infra/package-lock.json infra/package.json | preflight
	@echo "install $(@D)"
	@npm ci --prefix infra --prefer-offline --no-audit --no-fund --loglevel=error
	@touch $@

# Built here, with the Go at hand, which is part of the path: a linter refuses code
# newer than its own compiler.
$(GOLANGCI_LINT): | preflight
	@echo "build golangci-lint $(GOLANGCI_LINT_VERSION) (minutes the first time)"
	@GOBIN=$(CURDIR)/$(@D) GOFLAGS= CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
$(GOVULNCHECK): | preflight
	@echo "build govulncheck $(GOVULNCHECK_VERSION)"
	@GOBIN=$(CURDIR)/$(@D) GOFLAGS= CGO_ENABLED=0 go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

.PHONY: clean
clean: ## Remove what was built; installed tools and a running endpoint's state stay
	rm -rf build cdk.out .local/bin .local/deps .local/results .local/stamps
