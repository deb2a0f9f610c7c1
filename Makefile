# What a developer runs. `.ci/run` runs all that a change has to pass.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubetally
ASSETS := $(or $(KUBEBUILDER_ASSETS),$(CACHE)/assets)
CARGO_DENY := 0.20.2
DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny
CARGO_FUZZ := 0.13.2
FUZZ := $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ)/bin/cargo-fuzz
FUZZ_SECONDS := 60
LIVES := 20000
PODS := 20000
PROMETHEUS := $(CACHE)/prometheus
VALGRIND := $(CACHE)/valgrind
# One that was only unpacked has to be told where its tools are.
COUNT := PATH="$(VALGRIND)/usr/bin:$$PATH"; tools=$(VALGRIND)/usr/libexec/valgrind; \
  if [ -d "$$tools" ]; then export VALGRIND_LIB="$$tools"; fi; \
  cargo bench --profile measure --bench instructions

.PHONY: help test detect simulate soak attack fmt lint doc docs deny advisories bench microbench instructions instructions-write valgrind fuzz fuzz-build apiserver-assets kube-state-metrics helm prometheus-operator conformance manifests dashboards image tools image-test prometheus prometheus-test page-test ci

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

test: ## Test without a cluster or a Prometheus
	cargo test

detect: ## Measure, over sockets, how soon a server that has frozen is noticed
	cargo test --test integration -- --ignored --nocapture how_soon_silence_is_noticed

simulate: ## Live through 20,000 seeds of faults, or LIVES, of two simulated hours each
	KUBETALLY_LIVES=$(LIVES) cargo test --profile measure --test integration hours_of_faults -- --nocapture

soak: ## Churn for an hour, or for SOAK_SECONDS, and see whether the memory of the image's program stays flat
	tests/debian/install musl-gcc=musl-tools
	deploy/binary target/image
	SOAK_PROGRAM=target/image/kubetally cargo bench --profile measure --bench soak

attack: ## Attack the listener of a Kubetally with 10,000 pods; what that costs is printed
	KUBETALLY_ATTACK_PODS=10000 cargo test --profile measure --test integration attacks -- --nocapture --test-threads 1

fmt: ## Format the code
	cargo fmt

lint: ## Check format and lints; a warning is an error
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets --no-default-features -- -D warnings

doc: ## Check and build the documentation of the crate
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

docs: ## Write anew what is generated: pages, roles, wrapped rules, dashboards
	cargo run --quiet -- metrics --format markdown >docs/metrics.md
	cargo run --quiet -- config --format markdown >docs/configuration.md
	deploy/generate cargo run --quiet --
	cargo run --quiet --example dashboards

deny: $(DENY) ## Check what comes in with the dependencies, but for advisories
	$(DENY) check bans licenses sources

advisories: $(DENY) ## Check the dependencies for known vulnerabilities, from a database that git fetches
	$(DENY) check advisories

$(DENY):
	cargo install --locked --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY) cargo-deny@$(CARGO_DENY)

# With the profile of the package, so that what it depends on is built once.
fuzz-build: ## Build the fuzz targets
	CARGO_PROFILE_DEV_DEBUG=line-tables-only \
	  cargo build --locked --manifest-path fuzz/Cargo.toml --target-dir target

# Nothing here is unsafe code, so that no sanitizer, and with it no nightly compiler, is needed.
fuzz: $(FUZZ) ## Fuzz each target for a minute, or for FUZZ_SECONDS, from what was recorded
	for target in $$($(FUZZ) list); do \
	  case $$target in json) seeds=watch ;; *) seeds=$$target ;; esac; \
	  mkdir -p fuzz/corpus/$$target; \
	  $(FUZZ) run -s none $$target fuzz/corpus/$$target \
	    $$(ls -d tests/data/wire/$$seeds tests/data/fuzz/$$target 2>/dev/null) -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -rss_limit_mb=2048 -timeout=10 || exit 1; \
	done

$(FUZZ):
	cargo install --locked --root $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ) cargo-fuzz@$(CARGO_FUZZ)

bench: apiserver-assets kube-state-metrics ## Measure at a real API server with PODS pods, beside kube-state-metrics
	cargo build --release
	KUBEBUILDER_ASSETS=$(ASSETS) cargo test --profile measure --test conformance -- bench --pods $(PODS)

microbench: ## Measure the way of an object piece by piece, without a server
	cargo bench --bench steps --bench path --bench memory

instructions: valgrind ## Compare the instructions of that way, as valgrind counts them, with those of before
	$(COUNT)

instructions-write: valgrind ## Take the instructions of now for those to compare with
	$(COUNT) -- --write

valgrind:
	tests/debian/fetch $(VALGRIND) valgrind valgrind

apiserver-assets: ## Build etcd, kube-apiserver and kubectl
	tests/apiserver/build $(ASSETS)

kube-state-metrics: ## Build the kube-state-metrics to compare with
	tests/kube-state-metrics/build $(ASSETS)

helm: ## Build the Helm that tests the chart
	tests/helm/build $(ASSETS)

prometheus-operator: ## Get the Prometheus Operator's definitions of its resources
	tests/prometheus-operator/build $(ASSETS)

conformance: apiserver-assets kube-state-metrics helm prometheus-operator ## Test against a real API server and kube-state-metrics
	KUBEBUILDER_ASSETS=$(ASSETS) cargo test --test conformance

manifests: apiserver-assets ## Render the manifests
	for folder in deploy/base deploy/overlays/* dashboards; do $(ASSETS)/kubectl kustomize $$folder || exit 1; done

dashboards: ## Read the dashboards by Grafana's own types
	cd tests/dashboards && GOTOOLCHAIN=local go run . ../../dashboards/*.json

image: ## Build the image with Buildah
	deploy/image target/image

tools: valgrind prometheus ## Get what Debian has of what is needed to test
	tests/debian/install musl-gcc=musl-tools buildah=buildah \
	  chromium=chromium,fonts-dejavu-core,fonts-roboto-unhinted

image-test: ## Build the image and look whether it is what it should be
	tests/debian/install musl-gcc=musl-tools buildah=buildah
	tests/image/run

prometheus:
	tests/debian/fetch $(PROMETHEUS) prometheus prometheus promtool

prometheus-test: prometheus ## Test dashboards, alerts and scrape with a real Prometheus and other readers
	PATH="$(PROMETHEUS)/usr/bin:$$PATH" KUBETALLY_REQUIRE=prometheus,promtool,go \
	  cargo test --test prometheus

page-test: ## Test the page in a headless Chromium; pictures of it are in target/page then
	tests/page/run

ci: ## Run all that a change has to pass
	.ci/run
