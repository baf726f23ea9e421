# For a step that must not be able to write: here, another configuration of the provider
# that only reads.
ephemeral "mlops_token" "report" {
  role        = "read"
  ttl         = "15m"
  name        = "report"
  description = "reads the versions for the weekly report"
}

provider "mlops" {
  alias = "reader"
  token = ephemeral.mlops_token.report.token
}

data "mlops_model_versions" "fraud" {
  provider = mlops.reader
  model    = "fraud_detector"
}

output "versions" {
  value = length(data.mlops_model_versions.fraud.versions)
}
