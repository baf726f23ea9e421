terraform {
  required_providers {
    mlops = {
      source = "mlops-as-code/mlops"
    }
  }
}

# The control plane runs inside the provider, over the file mlops.db.
provider "mlops" {}

# One that a team runs: mlopsctl serve. The token comes from MLOPS_TOKEN.
provider "mlops" {
  alias    = "team"
  endpoint = "https://mlops.example.com"
}

# Registered models in MLflow; findings of one rule only warn.
provider "mlops" {
  alias  = "mlflow"
  mlflow = { tracking_uri = "http://127.0.0.1:5000" }
  rules  = { "drift/too-many-bins" = "off" }
}
