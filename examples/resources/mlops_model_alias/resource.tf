resource "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

resource "mlops_model_version" "march" {
  model  = mlops_registered_model.fraud.name
  source = "runs:/0f3c5b7a9d1e4c2f8a6b0d9e7c5f3a1b/model"
}

resource "mlops_model_version" "june" {
  model  = mlops_registered_model.fraud.name
  source = "runs:/7c5f3a1b0f3c5b7a9d1e4c2f8a6b0d9e/model"
}

# Promotion and rollback change the version, and say why.
resource "mlops_model_alias" "champion" {
  model   = mlops_registered_model.fraud.name
  alias   = "champion"
  version = mlops_model_version.june.version
  reason  = "Won the canary of 12 June"
}
