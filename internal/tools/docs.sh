#!/usr/bin/env bash
# Regenerates docs/ from the schema of bin/terraform-provider-mlops, the
# templates and the examples. The schema is read by the terraform or tofu that is
# there: tfplugindocs on its own would download one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh

terraform=$(internal/tools/get.sh terraform)
tfplugindocs=$(internal/tools/get.sh tfplugindocs)
work=$PWD/.cache/docs
address=registry.terraform.io/mlops-as-code/mlops

rm -rf "$work"
mkdir -p "$work"
cat >"$work/main.tf" <<HCL
terraform {
  required_providers {
    mlops = { source = "$address" }
  }
}
HCL
cat >"$work/cli.tfrc" <<HCL
provider_installation {
  dev_overrides { "$address" = "$PWD/bin" }
}
HCL
TF_CLI_CONFIG_FILE=$work/cli.tfrc "$terraform" -chdir="$work" providers schema -json >"$work/schema.full.json"
# tfplugindocs knows a provider by its short name, or as one of HashiCorp's.
sed "s|\"$address\":|\"mlops\":|" "$work/schema.full.json" >"$work/schema.json"

"$tfplugindocs" generate --provider-dir "$PWD" --provider-name mlops \
  --rendered-provider-name MLOps --providers-schema "$work/schema.json" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}
