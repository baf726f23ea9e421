data "mlops_registered_model" "fraud" {
  name = "fraud_detector"
}

output "owner" {
  value = data.mlops_registered_model.fraud.owner
}
