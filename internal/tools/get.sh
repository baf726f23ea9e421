#!/usr/bin/env bash
# Prints the path of a tool, installing it first if need be:
#
#   internal/tools/get.sh terraform|tofu|promtool|postgres|mlflow|peers|schemathesis|golangci-lint|tfplugindocs|gotestsum|goreleaser
#
# "terraform" is the terraform or tofu on PATH, or else OpenTofu built from its
# Go module. "postgres" is PostgreSQL's server, with initdb beside it. "mlflow",
# "peers" and "schemathesis" are the Python interpreters of virtual environments with
# MLflow, with what the statistics are compared with, and with what tests the HTTP API.
# Everything goes under .cache/tools, in folders named by version, so that a second run
# finds it there; nothing outside the checkout changes but Go's and pip's own caches. On
# failure the last line of standard error says why.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/.cache/tools
mkdir -p "$tools"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# quietly COMMAND...: the output of a long command goes to a log, whose end is
# shown when the command fails.
quietly() {
  local log=$tools/$tool.log
  if ! "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    return 1
  fi
}

# locked COMMAND...: two runs at once must not install the same tool. The lock
# of a process that is gone is taken over.
locked() {
  local lock=$tools/$tool.lock holder
  until mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
      rm -rf "$lock"
    else
      sleep 1
    fi
  done
  # shellcheck disable=SC2064 # the path of now
  trap "rm -rf '$lock'" EXIT
  echo $$ >"$lock/pid"
  "$@"
}

exe() { go env GOEXE; }

# module_version DIRECTORY MODULE: the version a go.mod pins.
module_version() {
  awk -v module="$2" '$1 == "require" { $1 = ""; $0 = $0; $1 = $1 } $1 == module { print $2; exit }' "$here/$1/go.mod"
}

# go_tool DIRECTORY MODULE PACKAGE [LDFLAGS]: builds a package at the version
# that internal/tools/DIRECTORY/go.mod pins.
go_tool() {
  local directory=$1 module=$2 package=$3 ldflags=${4:-} version out
  command -v go >/dev/null || die "$tool: it is built with Go, and there is no go on PATH"
  version=$(module_version "$directory" "$module")
  [ -n "$version" ] || die "$tool: internal/tools/$directory/go.mod does not pin $module"
  # A linter built with an older Go refuses newer code: Go's version counts too.
  out=$tools/$tool-${version#v}-$(go env GOVERSION)/$tool$(exe)
  [ -x "$out" ] || locked go_build "$directory" "$package" "$out" "$ldflags"
  printf '%s\n' "$out"
}

go_build() {
  local directory=$1 package=$2 out=$3 ldflags=$4
  [ ! -x "$out" ] || return 0
  say "building $tool in $(dirname "${out#"$root"/}") (once; minutes)"
  mkdir -p "$(dirname "$out")"
  (cd "$here/$directory" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off quietly nice go build -mod=readonly -trimpath -buildvcs=false -ldflags="-s -w $ldflags" -o "$out.new" "$package") ||
    die "$tool: it could not be built from its Go module; see above and .cache/tools/$tool.log"
  mv "$out.new" "$out"
}

# --- Terraform and OpenTofu ---

# The oldest version that has all the provider uses: write-only attributes.
oldest=1.11

# recent CLI: whether a terraform or tofu is at least the oldest one supported.
recent() {
  local version major minor
  version=$(CHECKPOINT_DISABLE=1 "$1" version 2>/dev/null | sed -n '1s/^[A-Za-z]* v\([0-9.]*\).*/\1/p')
  IFS=. read -r major minor _ <<<"$version"
  [ -n "${minor:-}" ] && { [ "$major" -gt "${oldest%.*}" ] || { [ "$major" -eq "${oldest%.*}" ] && [ "$minor" -ge "${oldest#*.}" ]; }; }
}

terraform() {
  local name cli
  for name in terraform tofu; do
    cli=$(type -P "$name" || true)
    [ -n "$cli" ] || continue
    if recent "$cli"; then
      printf '%s\n' "$cli"
      return
    fi
    say "$cli is older than $oldest: not used"
  done
  say "no terraform or tofu $oldest or later on PATH: OpenTofu it is, built from its Go module"
  tool=tofu
  tofu
}

tofu() {
  go_tool opentofu github.com/opentofu/opentofu github.com/opentofu/opentofu/cmd/tofu \
    "-X github.com/opentofu/opentofu/version.dev=no" # as in its own releases
}

# --- promtool ---

# One that is on PATH, or else the one in Debian's package of Prometheus, taken
# out of the package without installing it: that would start services.
promtool() {
  local path out=$tools/promtool-debian/promtool
  path=$(type -P promtool || true)
  if [ -z "$path" ]; then
    path=$out
    [ -x "$out" ] || locked promtool_from_debian "$out"
  fi
  printf '%s\n' "$path"
}

promtool_from_debian() {
  local out=$1 dir=$tools/promtool-apt
  [ ! -x "$out" ] || return 0
  debian_packages "$dir" 'macOS: brew install prometheus' prometheus
  mkdir -p "$(dirname "$out")"
  dpkg-deb --fsys-tarfile "$dir"/prometheus_*.deb | tar -xO ./usr/bin/promtool >"$out.new" ||
    die "promtool: the package prometheus has no usr/bin/promtool"
  chmod +x "$out.new"
  "$out.new" --version >/dev/null 2>&1 || die "promtool: the one in the package does not run here"
  mv "$out.new" "$out"
  rm -rf "$dir"
}

# debian_packages DIRECTORY HINT PACKAGE [-with-libraries]: downloads a package into
# a directory, and the libraries that it needs, and installs nothing.
debian_packages() {
  local dir=$1 hint=$2 package=$3 libraries=${4:-} lists=() names
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "$tool: there is none on PATH, and no apt-get here to take it from a package ($hint)"
  say "taking $tool from the Debian package $package"
  rm -rf "$dir"
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  # The system's package lists if it has some, or else lists of our own, which
  # needs no root and leaves the system's as they are.
  if [ -z "$(apt-cache show "$package" 2>/dev/null)" ]; then
    lists=(-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o Dir::State::status=/var/lib/dpkg/status -o "APT::Sandbox::User=$(id -un)")
    quietly apt-get "${lists[@]}" update || die "$tool: apt-get could not get the lists of packages"
  fi
  names=$package
  if [ -n "$libraries" ]; then
    # But for the C library, which must be the system's own, and compilers.
    names=$(apt-cache "${lists[@]}" depends --recurse --important "$package" | grep -e '^postgresql-[0-9]*$' -e '^lib' | grep -v -e '^libc6' -e '^libc-' -e '^libllvm' -e '-perl$' -e '^libperl') ||
      die "$tool: apt-cache does not say what $package needs"
  fi
  # shellcheck disable=SC2086 # a package a word
  (cd "$dir" && quietly apt-get "${lists[@]}" download $names) ||
    die "$tool: apt-get could not download $package"
}

# --- PostgreSQL ---

# The server on PATH or among Debian's, with initdb beside it, or else the one in
# Debian's package, taken out of it without installing it: that would start services.
postgres() {
  local path out=$tools/postgres-debian
  for path in "$(type -P postgres || true)" /usr/lib/postgresql/*/bin/postgres "$out"/usr/lib/postgresql/*/bin/postgres; do
    path=$(readlink -f "$path" 2>/dev/null || true)
    if [ -x "$path" ] && [ -x "$(dirname "$path")/initdb" ] && recent_postgres "$path"; then
      printf '%s\n' "$path"
      return
    fi
  done
  locked postgres_from_debian "$out"
  printf '%s\n' "$out"/usr/lib/postgresql/*/bin/postgres
}

# recent_postgres SERVER: whether it is at least the oldest one that the tests can
# use: databases with an order of their own came with 15.
recent_postgres() {
  local version
  version=$("$1" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 15 ]
}

# The libraries that the server needs are not on every machine.
postgres_from_debian() {
  local out=$1 dir=$tools/postgres-apt name real
  [ ! -d "$out" ] || return 0
  debian_packages "$dir" 'macOS: brew install postgresql@17' postgresql -with-libraries
  rm -rf "$out.new"
  mkdir -p "$out.new"
  for name in "$dir"/*.deb; do
    dpkg-deb --extract "$name" "$out.new" || die "postgres: $(basename "$name") cannot be unpacked"
  done
  for real in "$out.new"/usr/lib/postgresql/*/bin/{postgres,initdb}; do
    mv "$real" "$real.real"
    cat >"$real" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../../../../..
for libraries in "$root"/lib/*-linux-* "$root"/usr/lib/*-linux-*; do
  LD_LIBRARY_PATH=$libraries:$LD_LIBRARY_PATH
done
export LD_LIBRARY_PATH
exec "$0.real" "$@"
WRAPPER
    chmod +x "$real"
  done
  recent_postgres "$(echo "$out.new"/usr/lib/postgresql/*/bin/postgres)" ||
    die "postgres: the one in the package does not run here, or is older than 15"
  mv "$out.new" "$out"
  rm -rf "$dir"
}

# --- MLflow ---

mlflow() { python_with "$here/mlflow/requirements.txt" mlflow.server '850 MB'; }

# What the statistics are compared with: Evidently, NannyML, statsmodels.
peers() { python_with "$root/internal/stats/testdata/generate/requirements.txt" 'evidently, nannyml, statsmodels' '2.3 GB'; }

# What the HTTP API is tested with: requests made from its OpenAPI document.
schemathesis() { python_with "$here/schemathesis/requirements.txt" schemathesis '100 MB'; }

# python_with REQUIREMENTS MODULES SIZE: the Python of a virtual environment that
# has what the file lists and can import the modules.
python_with() {
  # The digest of the whole list, since any line may move.
  local out
  out=$tools/$tool-$(cksum <"$1" | cut -d' ' -f1)
  [ -e "$out/complete" ] || locked python_from_pypi "$out" "$@"
  python_in "$out"
}
python_in() {
  if [ -x "$1/Scripts/python.exe" ]; then printf '%s\n' "$1/Scripts/python.exe"; else printf '%s\n' "$1/bin/python"; fi
}
python_from_pypi() {
  local out=$1 requirements=$2 modules=$3 size=$4 candidate python=
  [ ! -e "$out/complete" ] || return 0
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      python=$candidate
      break
    fi
  done
  [ -n "$python" ] || die "$tool: it needs Python 3.11 or later, and there is none on PATH"
  say "installing ${requirements#"$root"/} in ${out#"$root"/} (once; $size)"
  rm -rf "$out"
  quietly "$python" -m venv "$out" ||
    die "$tool: $python cannot make a virtual environment (Debian: apt-get install python3-venv)"
  quietly "$(python_in "$out")" -m pip install --disable-pip-version-check -r "$requirements" ||
    die "$tool: pip could not install ${requirements#"$root"/}; see above and .cache/tools/$tool.log"
  quietly "$(python_in "$out")" -c "import $modules" ||
    die "$tool: it was installed and cannot be imported; see .cache/tools/$tool.log"
  touch "$out/complete"
}

tool=${1:-}
case $tool in
  terraform | tofu | promtool | postgres | mlflow | peers | schemathesis) "$tool" ;;
  golangci-lint) go_tool golangci-lint github.com/golangci/golangci-lint/v2 github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
  tfplugindocs) go_tool tfplugindocs github.com/hashicorp/terraform-plugin-docs github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs ;;
  gotestsum) go_tool gotestsum gotest.tools/gotestsum gotest.tools/gotestsum ;;
  goreleaser) go_tool goreleaser github.com/goreleaser/goreleaser/v2 github.com/goreleaser/goreleaser/v2 ;;
  *) die "usage: internal/tools/get.sh terraform|tofu|promtool|postgres|mlflow|peers|schemathesis|golangci-lint|tfplugindocs|gotestsum|goreleaser" ;;
esac
