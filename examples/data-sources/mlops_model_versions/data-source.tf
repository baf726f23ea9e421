# The newest version that a training pipeline registered, tested and found good enough.
data "mlops_model_versions" "candidates" {
  model   = "fraud_detector"
  tags    = { tested = "yes" }
  metrics = { roc_auc = { minimum = 0.92 } }
}

output "newest" {
  value = try(data.mlops_model_versions.candidates.versions[0].version, null)
}
