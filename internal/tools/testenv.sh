#!/usr/bin/env bash
# Installs the external programs that the tests use, and prints the environment
# variables that tell the tests of them, as a shell reads them; .cache/test.env
# gets the same. A tool that cannot be had leaves its variable empty and the
# reason in NAME_MISSING; with MLOPS_REQUIRE=all that is a failure instead.
# A variable that is set already is kept: that is how to test another version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh

missing=0
env_file=.cache/test.env.$$
trap 'rm -f "$env_file" "$env_file".*' EXIT

put() { printf 'export %s=%q\n' "$1" "$2" >>"$env_file"; }

# prepare VARIABLE TOOL: leaves the path in $found, empty where there is none.
prepare() {
  local path=${!1:-} reason
  if [ -n "$path" ] || internal/tools/get.sh "$2" 2>&1 >"$env_file.path" | tee "$env_file.log" >&2; then
    path=${path:-$(cat "$env_file.path")}
    put "$1" "$path"
    printf '%-22s %s\n' "$1" "$path" >&2
  else
    reason=$(tail -n 1 "$env_file.log")
    put "$1" ""
    put "$1_MISSING" "${reason:-$2 could not be installed}"
    printf '%-22s SKIP: %s\n' "$1" "$reason" >&2
    missing=1
  fi
  found=$path
}

: >"$env_file"
prepare MLOPS_TEST_PYTHON mlflow
prepare MLOPS_TEST_PEERS_PYTHON peers
prepare MLOPS_TEST_SCHEMATHESIS_PYTHON schemathesis
prepare MLOPS_TEST_PROMTOOL promtool
prepare MLOPS_TEST_POSTGRES postgres
prepare MLOPS_TEST_TERRAFORM terraform

# terraform-plugin-testing's own variables. Without a CLI, acceptance tests skip
# themselves for want of TF_ACC.
if [ -n "$found" ]; then
  put TF_ACC 1
  put TF_ACC_TERRAFORM_PATH "$found"
  case $("$found" version) in
    OpenTofu*)
      put TF_ACC_PROVIDER_NAMESPACE hashicorp
      put TF_ACC_PROVIDER_HOST registry.opentofu.org
      ;;
  esac
fi
put CHECKPOINT_DISABLE 1
put TF_CLI_CONFIG_FILE "$TF_CLI_CONFIG_FILE"

mv "$env_file" .cache/test.env
cat .cache/test.env
if [ "$missing" = 1 ] && [ "${MLOPS_REQUIRE:-}" = all ]; then
  echo "MLOPS_REQUIRE=all: a tool is missing, see above" >&2
  exit 1
fi
