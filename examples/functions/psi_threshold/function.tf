# The threshold that one evaluation in 720, a month of hours, passes on no drift.
output "threshold" {
  value = provider::mlops::psi_threshold(10, 1000, 500, 1 / 720)
}
