# Two commands: `make demo` trains on real recordings and writes a report, `make test` checks everything.
# Both do all the set-up that is missing; AUDIO=DIR makes the demo use your own folder.
# `make book` puts the book into target/book, and installs mdBook first where there is none.

AUDIO ?=
DEMO  ?= demo
COLA   = target/release/cola

.PHONY: demo test book setup setup-python setup-browser build clean

demo: build
	@examples/demo.sh "$(COLA)" "$(DEMO)" "$(AUDIO)"

test: setup setup-python setup-browser
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
	cargo test --release
	@for example in examples/0*.rs; do \
		cargo run --release --quiet --example "$$(basename "$$example" .rs)" || exit 1; \
	done

build: setup
	cargo build --release

# The pages of examples/book with the pieces of the sources that they include.
book:
	@command -v mdbook >/dev/null || test -x target/mdbook/bin/mdbook || cargo install mdbook --locked --root target/mdbook
	PATH="$$PATH:$(CURDIR)/target/mdbook/bin" mdbook build examples/book

# A compiler and cmake build the Opus decoder; a Vulkan driver is installed only where none is found.
setup:
	@examples/setup.sh

# numpy and onnxruntime, which some tests read our files with.
setup-python:
	@examples/setup_python.sh

# Chromium, in which a test looks at a page.
setup-browser:
	@examples/setup.sh test

clean:
	rm -rf target "$(DEMO)"
