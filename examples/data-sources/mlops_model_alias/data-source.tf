# What serves today, whoever promoted it.
data "mlops_model_alias" "champion" {
  model = "fraud_detector"
  alias = "champion"
}

output "champion" {
  value = data.mlops_model_alias.champion.version
}
