resource "mlops_registered_model" "fraud" {
  name  = "fraud_detector"
  owner = "risk-ml"
  risk  = "high"
}

resource "mlops_model_version" "current" {
  model   = mlops_registered_model.fraud.name
  source  = "s3://models/fraud_detector/2026-11-20/model.pkl"
  digest  = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  metrics = { roc_auc = 0.931, recall = 0.84 }
  gates = [
    { metric = "roc_auc", minimum = 0.92, test_samples = 40000, prevalence = 0.05 },
    { metric = "recall", minimum = 0.8, test_samples = 40000, prevalence = 0.05 },
  ]

  # Another artifact is another version; the one before stays for a rollback.
  deletion_policy = "abandon"
  lifecycle {
    create_before_destroy = true
  }
}
