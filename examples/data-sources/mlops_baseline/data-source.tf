data "mlops_baseline" "score" {
  model = "fraud_detector"
  name  = "score"
}

output "profile" {
  value = data.mlops_baseline.score.profile
}
