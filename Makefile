# make demo    a ring of two stock daemons and ours, shown and judged
# make test    every test there is; live rings need root
# make bench   our rings against stock's, as ratios
# make fuzz    every fuzz target, FUZZTIME each (10m)

export CGO_ENABLED = 0
FUZZTIME ?= 10m

.PHONY: all build setup demo test live bench fuzz vet

all: build

build:
	go build -o bin/ ./daemon/cpgold

setup:
	@scripts/setup

demo: setup
	@go run ./conformance/demo

vet:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || (echo 'make: gofmt would change the files above' && exit 1)
	go vet ./...
	go run ./conformance/layers

test: setup vet
	go test -p 1 -timeout 30m ./... # rings in real time and floods disturb each other

bench: setup
	@go run ./conformance/bench $(BENCHFLAGS)

fuzz:
	@scripts/fuzz $(FUZZTIME)
