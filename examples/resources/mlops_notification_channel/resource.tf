variable "ticket_token" {
  type      = string
  ephemeral = true
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

resource "mlops_notification_channel" "on_call" {
  name         = "on-call"
  alertmanager = { url = "https://alertmanager.example.com" }
  severities   = ["page"]
}
