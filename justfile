# Every command of the repository. `just --list`; without just: PATH=$(tools/get just):$PATH
# The core and the groups are what .ci/run calls.

set shell := ["bash", "-euo", "pipefail", "-c"]
set quiet
set positional-arguments

export CARGO_TERM_COLOR := "never"
export PYTHONDONTWRITEBYTECODE := "1"
export CHROMIUM := env("CHROMIUM", "/usr/bin/chromium")
cargo := "--locked --quiet --no-default-features"
get := justfile_directory() / "tools/get"
start := env("CARGO_TARGET_DIR", justfile_directory() / "target") / "debug/examples/start"

[private]
list:
    just --list --unsorted

[group('core')]
[doc('Debian packages that the rest needs')]
packages:
    tools/packages gcc make libc6-dev git curl ca-certificates python3-venv shellcheck

[group('core')]
format:
    cargo fmt --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml

[group('core')]
[doc('shellcheck on every tracked shell script')]
scripts:
    # bash continues when a $(...) in a command's environment fails: assign it first
    git grep -nE '\b[A-Z_]+="?\$\([^()]*\)[^ ;&|]* +[^ ;&|#})]' && exit 1 || [ $? = 1 ]
    # SC2120: it does not see that a function is called by its name in $1
    git grep -lE '^#!.*\b(ba)?sh$' | xargs awk 'FNR == 1 && /^#!.*sh$/ { print FILENAME } { nextfile }' \
      | xargs shellcheck --severity=warning --external-sources --source-path=scripts --exclude=SC2120

[group('core')]
[doc('links of the documentation, and the tests that it names')]
links:
    tests/links

[group('core')]
[doc('plain words in the documentation: rules and vocabulary are in tests/.textlintrc.json')]
prose: npm
    cd tests && git ls-files -z ':(top)*.md' | xargs -0 npx textlint

[group('core')]
[doc('licences, bans and sources of the dependencies')]
dependencies:
    tools/retry cargo fetch --locked --quiet
    PATH=$({{ get }} cargo-deny):$PATH && cargo-deny --offline check licenses bans sources

[group('core')]
[doc('that the release before can run on a new migration: .squawk.toml')]
migrations:
    PATH=$({{ get }} squawk):$PATH && squawk migrations/postgres/*.sql

[group('core')]
lints:
    cargo clippy {{ cargo }} --all-targets -- -D warnings

[group('core')]
[doc('cargo test: everything that needs no more than Rust')]
test:
    cargo test {{ cargo }}

[group('core')]
[doc('the service against its OpenAPI document; further arguments go to schemathesis')]
schemathesis *ARGUMENTS:
    tests/schemathesis/run "$@"

[group('core')]
terraform-fast:
    terraform/tests/run fast

[group('core')]
[doc('that the tables of docs/scale.md are what bench/peak computes')]
scale:
    bench/peak --check

[group('core')]
gitops-fast *ARGUMENTS:
    gitops/tests/run fast "$@"

[group('core')]
[doc('rules and dashboard: promtool, and their names against those of the service and the exporters')]
observability-fast *ARGUMENTS:
    cd tests/observability && PATH=$({{ get }} python promtool):$PATH && timeout 900 python -m pytest fast "$@"

[group('core')]
delivery-fast *ARGUMENTS:
    tests/delivery/run fast "$@"

[group('core')]
[doc('that the commands of the runbooks, and what they name, exist')]
runbooks *ARGUMENTS:
    cd tests/runbooks && PATH=$({{ get }} python helm kustomize):$PATH && timeout 900 python -m pytest "$@"

[group('groups')]
[doc('a real browser at the page and the documentation')]
browser *ARGUMENTS: node && calendar
    cd tests/browser && START={{ start }} timeout 900 node --test --test-concurrency=1 --test-timeout=600000 "$@" .

[group('groups')]
[doc('calendar libraries read the feed and name the days that the service counts towards')]
calendar: node
    tools/packages gcc libc6-dev libical-dev default-jdk-headless maven
    for library in org.mnode.ical4j:ical4j:4.1.1 net.sf.biweekly:biweekly:0.6.8; do \
      tools/retry mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dartifact=$library; done
    cd ~/.m2/repository && sha256sum --check --quiet {{ justfile_directory() }}/tests/calendar/jars.sha256
    PATH=$({{ get }} python):$PATH && TZ=UTC PYTHONPATH=tests timeout 900 python tests/calendar/compare.py

[group('groups')]
[doc("clients generated from the OpenAPI document call the service; parsers read its metrics")]
clients: npm
    PATH=$({{ get }} clients):$PATH && PYTHONPATH=tests timeout 900 clients tests/clients/run.py

[group('groups')]
[doc('faults: failovers, broken networks, hostile clients; or only those whose names hold a word')]
drills *WORDS="drills::":
    tools/packages pgbouncer
    cargo test {{ cargo }} --test api -- --ignored --show-output --test-threads=1 "$@" | grep -v '^---- \|^$'

[group('groups')]
[doc('instructions per call against bench/instructions.json')]
instructions *ARGUMENTS:
    bench/instructions "$@"

[group('groups')]
[doc('Prometheus watches the service while its database goes away and returns')]
observability *ARGUMENTS:
    cd tests/observability && PATH=$({{ get }} python prometheus):$PATH && timeout 900 python -m pytest live "$@"

[group('groups')]
[doc('scripts/adopt on a copy of the tree, and its fast checks')]
adopt *ARGUMENTS:
    tests/delivery/run adopt "$@"

[group('groups')]
[doc('a release of a version, up to what would be uploaded')]
release *ARGUMENTS:
    tests/delivery/run release "$@"

[group('groups')]
[doc('the image and docker compose on a real engine')]
images *ARGUMENTS:
    tests/compose/run "$@"

[group('groups')]
[doc('terraform applied and destroyed against an AWS double')]
terraform *ARGUMENTS:
    terraform/tests/run "$@"

[group('groups')]
[doc('charts, istiod and Envoy, and both environments on a real API server with Argo CD')]
cluster *ARGUMENTS:
    gitops/tests/run "$@"

[group('groups')]
[doc('production on real nodes with real sidecars, and the protections whose loss is noticed')]
nodes *ARGUMENTS:
    gitops/tests/run nodes "$@"

[group('groups')]
[doc('a commit becomes an image, a release, and production')]
delivery *ARGUMENTS:
    tests/delivery/run whole "$@"

[group('groups')]
[doc('from terraform apply to a rotated password, all of it under load')]
whole *ARGUMENTS:
    tests/whole/run "$@"

[group('nightly')]
fuzz SECONDS="60":
    fuzz/run {{ SECONDS }}

[group('nightly')]
[doc('small changes of src/, each of which a test must notice: .cargo/mutants.toml; 1/4 is the second quarter')]
mutants SHARD="0/1" *ARGUMENTS:
    PATH=$({{ get }} cargo-mutants):$PATH && cargo mutants --no-shuffle --output target --shard "$@"

[group('nightly')]
[doc('known vulnerabilities of all dependencies; needs the internet')]
audit:
    scripts/audit

[group('writes')]
[doc('measures the service beside its peers: bench/README.md')]
bench *ARGUMENTS:
    bench/run "$@"

[group('writes')]
[doc('N failovers and N kills: docs/reliability-report.md')]
drills-report N="100":
    #!/usr/bin/env bash
    set -euo pipefail
    status=passed
    said=$(DRILLS_REPEAT={{ N }} cargo test {{ cargo }} --test api -- --ignored --show-output --test-threads=1 no_acknowledged_save_is_lost) || status=FAILED
    printf '# Repeated failovers and kills\n\n`just drills-report {{ N }}` on %s at %s: %s.\n\n```\n%s\n```\n' \
      "$(date -u '+%F %H:%M UTC')" "$(git rev-parse --short HEAD)" "$status" "$(sed -n 's/^measured  //p' <<<"$said")" >docs/reliability-report.md
    [ "$status" = passed ]

[group('writes')]
[doc('the pictures of docs/images')]
screenshots: node
    tools/packages pngquant
    mkdir -p docs/images
    cd tests/browser && START={{ start }} timeout 300 node screenshots.mjs ../../docs/images

[group('writes')]
[doc('at the end of each runbook, which of its commands were never run')]
rehearsed:
    cd tests/runbooks && PATH=$({{ get }} python):$PATH && python rehearsed.py

# the packages of tests/package.json
[private]
npm:
    command -v node npm >/dev/null || tools/packages nodejs npm
    cd tests && [ node_modules/.package-lock.json -nt package-lock.json ] || {{ justfile_directory() }}/tools/retry npm ci --no-audit --no-fund --ignore-scripts

# a browser, and what starts the service for it
[private]
node: npm
    [ -x "$CHROMIUM" ] || tools/packages chromium fonts-liberation fonts-dejavu-core
    cargo build {{ cargo }} --bins --examples
