// Package access has what decides who may speak to the control plane.
package access

import "github.com/hashicorp/terraform-plugin-framework/ephemeral"

// EphemeralResources lists the constructors of the family's ephemeral resources.
func EphemeralResources() []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return &token{} }}
}
