data "mlops_notification_channel" "tickets" {
  name = "tickets"
}

output "takes" {
  value = data.mlops_notification_channel.tickets.severities
}
