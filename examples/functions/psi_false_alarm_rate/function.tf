# 10 bins, a baseline of 1,000, windows of 190 values: an alert above 0.1 fires on
# 8 % of the evaluations with nothing wrong.
output "rate" {
  value = provider::mlops::psi_false_alarm_rate(10, 1000, 190, 0.1)
}
