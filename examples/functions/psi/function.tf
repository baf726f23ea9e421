output "psi" {
  value = provider::mlops::psi([100, 100, 100, 100], [90, 95, 105, 110]) # 0.0063
}
