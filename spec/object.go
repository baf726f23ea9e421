package spec

import "github.com/zclconf/go-cty/cty"

// Object is one declared object, as a surface read it.
type Object struct {
	Kind *Kind
	// Address is how the surface calls the object: alert_threshold.score in spec
	// files, mlops_alert_threshold.score in Terraform.
	Address string
	// Value has the kind's type. Defaults are filled in; computed attributes are
	// null or unknown unless Planned is set.
	Value cty.Value
	// Directory is what relative file paths start from; empty for the working
	// directory.
	Directory string
	// Prior is the object as it was last applied, or cty.NilVal.
	Prior cty.Value
	// Planned says that the computed attributes in Value come from a plan: files
	// have been read already, perhaps on another machine, and are not read again.
	Planned bool
}
