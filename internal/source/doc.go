// Package source reads policies: spec files (*.mlops.hcl), Terraform files (*.tf,
// *.tf.json) and plans (`terraform show -json`). Each becomes objects of the
// vocabulary with the place in the file where every attribute stands.
//
// A spec file's bodies are Terraform's own. An expression that Terraform alone can
// resolve (a data source, another provider's resource, a module's output, a function
// that is not pure) is unknown here, and unknown silences a rule: it never becomes an
// error. What cannot be read at all is a [Problem].
package source
