data "mlops_rollout_policy" "canary" {
  model = "fraud_detector"
  name  = "canary"
}

output "power" {
  value = data.mlops_rollout_policy.canary.evaluation.power
}
