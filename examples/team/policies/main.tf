terraform {
  required_version = ">= 1.11"
  required_providers {
    mlops = {
      source = "mlops-as-code/mlops"
    }
  }
  # Where the team's other states are. Settings come with init -backend-config.
  backend "local" {}
}

# The address, its certificate authority and the token come from MLOPS_ENDPOINT,
# MLOPS_CA_CERT_FILE and MLOPS_TOKEN, so that a laptop, a pull request and a deployment
# differ in nothing else. Here, nothing is a warning that should be an error.
provider "mlops" {
  rules = {
    "alert/no-owner"   = "error"
    "alert/no-runbook" = "error"
  }
}

variable "ticket_token" {
  description = "What the ticket system expects in the webhook's header."
  type        = string
  sensitive   = true
  ephemeral   = true
}

resource "mlops_notification_channel" "tickets" {
  name = "tickets"
  webhook = {
    url               = "https://tickets.example.com/hooks/mlops"
    secret_wo         = var.ticket_token
    secret_wo_version = 1 # raise it whenever the token changes
  }
  severities = ["ticket", "info"]
}
