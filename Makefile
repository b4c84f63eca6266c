# The project's commands. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BUILD := build
PRESET ?= dev
TEST_ARGS ?=

.PHONY: help deps build run test bench fuzz soak lint asan tsan mutants format coverage release clean

help:  ## this list
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

deps:  ## install what is missing, from Debian (as root or through sudo)
	@tools/deps

build: deps  ## build everything (preset dev)
	@tools/build $(PRESET)

run: deps  ## build, then show the main job on real input
	@tools/build $(PRESET) deploy-tool zako zako-casd
	@examples/tesseract-model/run $(BUILD)/$(PRESET)/bin/deploy-tool

test: build  ## build and run every test; as root also once more as an unprivileged user
	@tools/test $(PRESET) $(TEST_ARGS)

release: deps  ## what users install
	@tools/build release
	@tools/check_release $(BUILD)/release

bench: deps  ## measure against peers; prints ratios (bench/RESULTS.md keeps them)
	@tools/build release all bench
	@bench/run $(BUILD)/release

fuzz: deps  ## run every fuzz target for FUZZ_SECONDS (default 60) each
	@tools/build fuzz
	@tools/fuzz $(BUILD)/fuzz

soak: deps  ## long tests: benign archives, many kills, many seeds
	@tools/build dev
	@tests/soak $(BUILD)/dev

lint: deps  ## clang-14 warnings and thread safety, clang-tidy, formatting, layers, headers alone
	@tools/lint

asan: deps  ## all tests under address and undefined-behaviour sanitizers
	@tools/build asan
	@tools/test asan $(TEST_ARGS)

tsan: deps  ## tests under the thread sanitizer (all that does not use gRPC)
	@tools/build tsan
	@tools/test tsan $(TEST_ARGS)

mutants: deps  ## plant each listed bug and show the test that turns red
	@tools/build mutants
	@tools/mutants $(BUILD)/mutants

coverage: deps  ## line coverage of src/ by the tests
	@tools/build coverage
	@tools/test coverage
	@tools/coverage $(BUILD)/coverage

format:  ## format all C++ files
	@git ls-files '*.h' '*.cc' | xargs clang-format-14 -i

clean:  ## remove the build folder
	rm -rf $(BUILD)
