#!/usr/bin/env bash
# Runs everything, or the named parts of it: internal/tools/test.sh [go] [demo] [lint]
# Two parts run by their names only: faults makes FAULTS faulty applies, fuzz gives each
# fuzz target that matches FUZZ the time FUZZTIME.
# Each part runs even where another has failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh
# More flags for go test, such as -race or -count=1.
flags=${TESTFLAGS:-}

[ $# -gt 0 ] || set -- go demo lint
results=.cache/test.json

heading() { printf '\n== %s\n' "$*"; }

run_go() {
  local environment gotestsum status=0 skipped
  heading "what the tests need"
  environment=$(internal/tools/testenv.sh) || return 1
  eval "$environment"
  gotestsum=$(internal/tools/get.sh gotestsum) || return 1
  heading "go test ./... (unit, golden, acceptance with $("$(command -v "${MLOPS_TEST_TERRAFORM:-true}")" version 2>/dev/null | head -n 1))"
  # shellcheck disable=SC2086 # several flags
  "$gotestsum" --format standard-quiet --jsonfile "$results" -- -timeout 60m $flags ./... || status=1
  skipped=$(grep '"Action":"skip"' "$results" | grep -c '"Test":')
  if [ "$skipped" -gt 0 ] && [ "${MLOPS_REQUIRE:-}" = all ]; then
    echo "MLOPS_REQUIRE=all: $skipped tests were skipped, see above"
    status=1
  fi
  return "$status"
}

run_faults() {
  local environment
  environment=$(internal/tools/testenv.sh) || return 1
  eval "$environment"
  heading "${FAULTS:-100} applies of 200 objects, each with a fault on the way"
  MLOPS_REQUIRE=all go test -timeout 3h -count=1 -parallel 3 -run '^TestFaults$' -v . -faults "${FAULTS:-100}" | grep --line-buffered -v '^=== '
}

run_fuzz() {
  local package targets target status=0 count=0
  for package in $(go list ./...); do
    targets=$(go test -list '^Fuzz' "$package") || status=1
    for target in $(grep '^Fuzz' <<<"$targets" | grep -E -- "${FUZZ:-.}"); do
      count=$((count + 1))
      heading "$target of $package"
      go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$package" || status=1
    done
  done
  if [ "$count" -eq 0 ]; then
    echo "no fuzz target matches FUZZ='${FUZZ:-}'"
    status=1
  fi
  return "$status"
}

run_demo() {
  heading "make demo"
  internal/tools/demo.sh
}

run_lint() {
  heading "make lint"
  internal/tools/lint.sh
}

count() { grep "\"Action\":\"$1\"" "$results" 2>/dev/null | grep -c '"Test":'; }

failed=()
rm -f "$results"
for part in "$@"; do
  "run_$part" </dev/null || failed+=("$part")
done

heading "summary"
for part in "$@"; do
  case " ${failed[*]:-} " in
    *" $part "*) echo "FAIL $part" ;;
    *) echo "ok   $part" ;;
  esac
done
if [ -f "$results" ]; then
  echo "$(count pass) passed, $(count fail) failed, $(count skip) skipped"
fi
[ ${#failed[@]} -eq 0 ]
