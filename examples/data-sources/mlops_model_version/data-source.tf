data "mlops_model_version" "first" {
  model   = "fraud_detector"
  version = 1
}

output "source" {
  value = data.mlops_model_version.first.source
}
