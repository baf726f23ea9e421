output "psi" {
  value = provider::mlops::psi_samples([1, 2, 3, 4, 5, 6, 7, 8], [2, 3, 4, 5, 6, 7, 8, 9], 4)
}
