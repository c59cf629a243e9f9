# All commands of the repository: `just --list`. If just is not installed: PATH=$(tools/get just):$PATH
# .ci/run calls the recipes of `core` and `groups`.

set shell := ["bash", "-euo", "pipefail", "-c"]
set quiet
set positional-arguments

export CARGO_TERM_COLOR := "never"
export PYTHONDONTWRITEBYTECODE := "1"
export CHROMIUM := env("CHROMIUM", "/usr/bin/chromium")
cargo := "--locked --quiet"
get := justfile_directory() / "tools/get"
# on Ctrl-C and when the time is over, a test ends what it has started
limit := "timeout --foreground --signal=INT --kill-after=60"
start := env("CARGO_TARGET_DIR", justfile_directory() / "target") / "debug/examples/start"

[private]
list:
    just --list --unsorted

[group('core')]
[doc('install the Debian packages that the other recipes need')]
packages:
    tools/packages gcc make libc6-dev git curl ca-certificates python3-venv shellcheck

[group('core')]
format:
    cargo fmt --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml

[group('core')]
[doc('run shellcheck on every tracked shell script')]
scripts:
    # bash ignores a failing $(...) in a command's environment: assign it to a variable first
    git grep -nE '\b[A-Z_]+="?\$\([^()]*\)[^ ;&|]* +[^ ;&|#})]' && exit 1 || [ $? = 1 ]
    # SC2120: shellcheck does not see functions that are called through $1
    git grep -lE '^#!.*\b(ba)?sh$' | xargs awk 'FNR == 1 && /^#!.*sh$/ { print FILENAME } { nextfile }' \
      | xargs shellcheck --severity=warning --external-sources --source-path=scripts --exclude=SC2120

[group('core')]
[doc('check the links of the documentation, and that the paths and tests it names exist')]
links:
    tests/links

[group('core')]
[doc('check the wording of the documentation: rules and vocabulary are in tests/.textlintrc.json')]
prose: npm
    cd tests && git ls-files -z ':(top)*.md' | xargs -0 npx textlint

[group('core')]
[doc('check licences, bans and sources of the dependencies')]
dependencies:
    tools/retry cargo fetch --locked --quiet
    # cargo fuzz would renew a lock file that is out of date, and say nothing
    tools/retry cargo fetch --locked --quiet --manifest-path fuzz/Cargo.toml
    PATH=$({{ get }} cargo-deny):$PATH && cargo-deny --offline check licenses bans sources

[group('core')]
[doc('check that the previous release can run on a new migration: .squawk.toml')]
migrations:
    PATH=$({{ get }} squawk):$PATH && squawk migrations/postgres/*.sql

[group('core')]
lints:
    cargo clippy {{ cargo }} --all-targets -- -D warnings

[group('core')]
[doc('run cargo test: all tests that need only Rust')]
test:
    cargo test {{ cargo }}

[group('core')]
[doc('test the service against its OpenAPI document; extra arguments go to schemathesis')]
schemathesis *ARGUMENTS:
    tests/schemathesis/run "$@"

[group('core')]
terraform-fast:
    terraform/tests/run fast

[group('core')]
[doc('check that the tables of docs/scale.md are what bench/peak computes')]
scale:
    bench/peak --check

[group('core')]
gitops-fast *ARGUMENTS:
    gitops/tests/run fast "$@"

[group('core')]
[doc('check rules and dashboard with promtool, and their metric names against the service and the exporters')]
observability-fast *ARGUMENTS:
    cd tests/observability && PATH=$({{ get }} python promtool):$PATH && {{ limit }} 900 python -m pytest fast "$@"

[group('core')]
delivery-fast *ARGUMENTS:
    tests/delivery/run fast "$@"

[group('core')]
[doc('check that the commands of the runbooks, and what they name, exist')]
runbooks *ARGUMENTS:
    cd tests/runbooks && PATH=$({{ get }} python helm kustomize):$PATH && {{ limit }} 900 python -m pytest "$@"

[group('groups')]
[doc('test the page and the documentation in a real browser')]
browser *ARGUMENTS: node && calendar
    cd tests/browser && START={{ start }} {{ limit }} 900 node --test --test-concurrency=1 --test-timeout=600000 "$@" .

[group('groups')]
[doc('check that calendar libraries find in the feed the days that the service counts towards')]
calendar: node
    tools/packages gcc libc6-dev libical-dev default-jdk-headless maven
    for library in org.mnode.ical4j:ical4j:4.1.1 net.sf.biweekly:biweekly:0.6.8; do \
      tools/retry mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dartifact=$library; done
    cd ~/.m2/repository && sha256sum --check --quiet {{ justfile_directory() }}/tests/calendar/jars.sha256
    PATH=$({{ get }} python):$PATH && TZ=UTC PYTHONPATH=tests {{ limit }} 900 python tests/calendar/compare.py

[group('groups')]
[doc("call the service with clients generated from the OpenAPI document; parse its metrics")]
clients: npm
    PATH=$({{ get }} clients):$PATH && PYTHONPATH=tests {{ limit }} 900 clients tests/clients/run.py

[group('groups')]
[doc('inject faults: failovers, broken networks, hostile clients; WORDS select them by name')]
drills *WORDS="drills::":
    tools/packages pgbouncer
    cargo test {{ cargo }} --test api -- --ignored --show-output --test-threads=1 "$@" | grep -v '^---- \|^$'

[group('groups')]
[doc('compare instructions per call with bench/instructions.json')]
instructions *ARGUMENTS:
    bench/instructions "$@"

[group('groups')]
[doc('watch the service with Prometheus while its database goes away and returns')]
observability *ARGUMENTS:
    cd tests/observability && PATH=$({{ get }} python prometheus):$PATH && {{ limit }} 900 python -m pytest live "$@"

[group('groups')]
[doc('run scripts/adopt on a copy of the tree, then its fast checks')]
adopt *ARGUMENTS:
    tests/delivery/run adopt "$@"

[group('groups')]
[doc('rehearse a release, up to the upload')]
release *ARGUMENTS:
    tests/delivery/run release "$@"

[group('groups')]
[doc('test the image and docker compose on a real engine')]
images *ARGUMENTS:
    tests/compose/run "$@"

[group('groups')]
[doc('apply and destroy terraform against an AWS double')]
terraform *ARGUMENTS:
    terraform/tests/run "$@"

[group('groups')]
[doc('test charts, istiod and Envoy, and both environments on a real API server with Argo CD')]
cluster *ARGUMENTS:
    gitops/tests/run "$@"

[group('groups')]
[doc('test production on real nodes with real sidecars; needs root')]
nodes *ARGUMENTS:
    gitops/tests/run nodes "$@"

[group('groups')]
[doc('take a commit through image and release to production')]
delivery *ARGUMENTS:
    tests/delivery/run whole "$@"

[group('groups')]
[doc('run everything from terraform apply to a password rotation, under load; needs root')]
whole *ARGUMENTS:
    tests/whole/run "$@"

[group('nightly')]
fuzz SECONDS="60":
    fuzz/run {{ SECONDS }}

[group('nightly')]
[doc('run mutation tests of src/: .cargo/mutants.toml; SHARD 1/4 is the second quarter')]
mutants SHARD="0/1" *ARGUMENTS:
    PATH=$({{ get }} cargo-mutants):$PATH && cargo mutants --no-shuffle --output target --shard "$@"

[group('nightly')]
[doc('look up known vulnerabilities of dependencies; needs the internet')]
audit:
    scripts/audit

[group('writes')]
[doc('measure the service and its peers: bench/README.md')]
bench *ARGUMENTS:
    bench/run "$@"

[group('writes')]
[doc('run N failovers and N kills, and write docs/reliability-report.md')]
drills-report N="100":
    #!/usr/bin/env bash
    set -euo pipefail
    status=passed
    said=$(DRILLS_REPEAT={{ N }} cargo test {{ cargo }} --test api -- --ignored --show-output --test-threads=1 no_acknowledged_save_is_lost) || status=FAILED
    printf '# Repeated failovers and kills\n\n`just drills-report {{ N }}` on %s at %s: %s.\n\n```\n%s\n```\n' \
      "$(date -u '+%F %H:%M UTC')" "$(git rev-parse --short HEAD)" "$status" "$(sed -n 's/^measured  //p' <<<"$said")" >docs/reliability-report.md
    [ "$status" = passed ]

[group('writes')]
[doc('take the screenshots in docs/images')]
screenshots: node
    tools/packages pngquant
    mkdir -p docs/images
    cd tests/browser && START={{ start }} {{ limit }} 300 node screenshots.mjs ../../docs/images

# the packages of tests/package.json
[private]
npm:
    command -v node npm >/dev/null || tools/packages nodejs npm
    cd tests && [ node_modules/.package-lock.json -nt package-lock.json ] || {{ justfile_directory() }}/tools/retry npm ci --no-audit --no-fund --ignore-scripts

# a browser, and the programs that start the service for it
[private]
node: npm
    [ -x "$CHROMIUM" ] || tools/packages chromium fonts-liberation fonts-dejavu-core
    cargo build {{ cargo }} --bins --examples
