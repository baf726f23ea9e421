#!/usr/bin/env bash
# Measures what docs/performance.md claims, our code and its peers in one run, and rewrites
# its sections: internal/tools/bench.sh [-part REGEXP] [-rounds N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. internal/tools/isolate.sh

python=$(internal/tools/get.sh peers)
terraform=$(internal/tools/get.sh terraform)
mlflow=$(internal/tools/get.sh mlflow)
mkdir -p .cache/bench
go build -o .cache/bench/bench ./internal/bench
# Some machines have OpenBLAS use an older processor's code, which slows a current numpy.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
exec .cache/bench/bench -python "$python" -terraform "$terraform" -mlflow "$mlflow" "$@"
