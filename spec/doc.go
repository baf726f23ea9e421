// Package spec is the vocabulary of MLOps policy: the kinds a platform team
// declares, written once as terraform-plugin-framework schema data, and what
// every surface needs to speak it: defaults, decoding from cty values into Go
// types that know null, unknown and known, constraints, and canonical JSON.
//
// Everything that reads a policy (the provider, the linter, the compiler, the
// control plane) turns its input into a cty.Value of Kind.Type and goes on from
// there. Package spec judges one attribute or one object by itself; whether the
// policy can do what it claims is the business of package evaluate.
package spec
