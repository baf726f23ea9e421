#!/usr/bin/env bash
# Runs the quickstart's demo with the Terraform or OpenTofu that is there, or
# else one built from its Go module. Nothing of the developer's own Terraform
# settings reaches it, and it leaves nothing outside the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh

MLOPS_TERRAFORM=${MLOPS_TERRAFORM:-$(internal/tools/get.sh terraform)}
export MLOPS_TERRAFORM
exec bash examples/quickstart/demo.sh
