#!/usr/bin/env bash
# All checks that read the source instead of running it. Each runs even where
# another has failed. Expects bin/terraform-provider-mlops to be built.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh

failed=0
check() {
  local name=$1
  shift
  if "$@"; then
    echo "ok   $name"
  else
    echo "FAIL $name"
    failed=1
  fi
}

formatted() {
  local files
  files=$(git ls-files -z -co --exclude-standard -- '*.go' | xargs -0 gofmt -l 2>&1) || true
  [ -z "$files" ] || { printf 'make fmt would change:\n%s\n' "$files"; return 1; }
}

golangci_lint() {
  local bin
  bin=$(internal/tools/get.sh golangci-lint) || return 1
  GOLANGCI_LINT_CACHE=$PWD/.cache/golangci-lint "$bin" run ./...
}

tidy() { (cd "$1" && GOWORK=off GOFLAGS='' go mod tidy -diff); }

# The tree of the checkout as it stands, committed or not, under a temporary
# index: comparing two of them tells what a command changed, in a dirty checkout
# too.
tree() {
  local index=$PWD/.cache/lint.index
  rm -f "$index"
  GIT_INDEX_FILE=$index git add -A . && GIT_INDEX_FILE=$index git write-tree
  rm -f "$index"
}

generated() {
  local before after
  before=$(tree) || return 1
  go generate ./... && internal/tools/docs.sh || return 1
  after=$(tree) || return 1
  git --no-pager diff --exit-code --stat "$before" "$after" ||
    { echo "These files were out of date: make docs has now written them; commit them."; return 1; }
}

check gofmt formatted
check 'go vet' go vet ./...
check golangci-lint golangci_lint
for module in ./go.mod internal/tools/*/go.mod; do
  directory=${module%/go.mod}
  # Tidying looks at every platform, and one of goreleaser's modules for Windows
  # packages is not served by every module proxy.
  [ "$directory" = internal/tools/goreleaser ] || check "go mod tidy, $directory" tidy "$directory"
done
check 'generated files' generated
exit "$failed"
