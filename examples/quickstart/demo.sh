#!/usr/bin/env bash
# Tells the story of the two policies beside it: ../../GNUmakefile runs this as
# `make demo`. MLOPS_TERRAFORM is the CLI to use; bin/ must be built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
bin=$(cd ../../bin && pwd)
terraform=${MLOPS_TERRAFORM:-terraform}
cli=$(basename "$terraform")
work=$(cd ../.. && pwd)/.cache/demo
rm -rf "$work"
mkdir -p "$work"
cp -R naive sound data "$work/"

# The CLI uses the provider just built, needs no init, and is left alone otherwise.
cat >"$work/cli.tfrc" <<TFRC
provider_installation {
  dev_overrides {
    "mlops-as-code/mlops" = "$bin"
  }
  direct {}
}
TFRC
export TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
unset TF_CLI_ARGS TF_CLI_ARGS_plan TF_CLI_ARGS_apply TF_DATA_DIR TF_WORKSPACE MLOPS_ENDPOINT MLOPS_PATH

figures=1 # of the resources in a plan, show the figures only

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed $'s/\033\\[[0-9;]*m//g'; fi; }
run() { printf '\n$ %s\n' "$*"; }

# tf DIRECTORY ARGUMENTS: the CLI, without what would distract (see quiet.awk).
tf() {
  local directory=$1 command=$2 status=0
  shift 2
  run "$cli $command${*:+ $*}"
  (cd "$work/$directory" && "$terraform" "$command" -no-color "$@" >"$work/output.txt" 2>&1) || status=$?
  awk -v figures="$figures" -f "$here/quiet.awk" "$work/output.txt"
  return "$status"
}

cat <<'STORY'
A model estimates the damage of bird strikes; another one detects fraud. A team
writes down how they are watched and how new versions are rolled out:

  - alert when the aircraft's speed drifts: PSI over 10 bins above 0.1, on the 100
    values of each hour, against a baseline of 1,000 real FAA records; at most one
    false alarm in 30 days;
  - give a new fraud detector 5 % of the traffic for an hour, and go on only if the
    approval rate of 10 % has not moved by a percentage point.

Both read well. Neither can work, and nothing has to be deployed to see it.
STORY

say "1. $cli plan refuses the naive policy (examples/quickstart/naive)"
if tf naive plan; then
  echo "the naive policy was not refused" >&2
  exit 1
fi
for rule in drift/noise-floor rollout/underpowered; do
  grep -q "$rule" "$work/output.txt" || { echo "the plan does not name $rule" >&2; exit 1; }
done

cat <<'STORY'

Each error stands on its attribute, with the number and the smallest change that
mends it. The alert would fire nearly every other hour on pure noise. The canary
collects 1,800 requests, and cannot see what it is there for.
STORY

say "2. The corrected policy passes, and the plan shows its figures (examples/quickstart/sound)"
diff -U 0 "$work/naive/main.tf" "$work/sound/main.tf" | grep -E '^[-+] ' | grep -v '^.  *#' || true
tf sound plan -out=plan.tfplan

say "3. $cli apply carries it out, against the control plane inside the provider"
tf sound apply plan.tfplan

say "4. A second plan has nothing to do"
tf sound plan -detailed-exitcode

say "5. In a pull request, mlopsctl lint finds the same without Terraform"
run "mlopsctl lint naive"
(cd "$work" && "$bin/mlopsctl" lint naive) && { echo "the linter found nothing" >&2; exit 1; }
run "mlopsctl lint sound"
(cd "$work" && "$bin/mlopsctl" lint sound)

say "6. mlopsctl compile turns the monitor and its alert into Prometheus rules"
run "mlopsctl compile --target prometheus --out rules sound"
(cd "$work" && "$bin/mlopsctl" compile --target prometheus --out rules sound)
printf '\nThe alert in rules/bird_strike_damage.rules.yml:\n\n'
sed -n '/alert: MLFeatureDrift/,/summary:/p' "$work/rules/bird_strike_damage.rules.yml"

say "7. $cli destroy leaves nothing"
tf sound destroy -auto-approve

printf '\nAll of this ran in %s; remove it whenever you like.\n' "${work#"$(cd ../.. && pwd)/"}"
