# Sourced, at the root of the checkout: keeps the developer's own settings of
# Terraform, MLflow, PostgreSQL and this provider away from tests, demo and documentation,
# and keeps Terraform from phoning home or writing in the home directory.
for name in $(compgen -e); do
  case $name in
    TF_CLI_ARGS* | TF_DATA_DIR | TF_WORKSPACE | TF_LOG* | TF_PLUGIN_CACHE_DIR | TF_VAR_* | TF_REATTACH_PROVIDERS) unset "$name" ;;
    MLOPS_ENDPOINT | MLOPS_TOKEN | MLOPS_PATH | MLOPS_DATABASE_URL | MLFLOW_* | PG*) unset "$name" ;;
  esac
done
mkdir -p .cache
: >.cache/empty.tfrc
export TF_CLI_CONFIG_FILE=$PWD/.cache/empty.tfrc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
