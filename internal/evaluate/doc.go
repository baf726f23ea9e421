// Package evaluate computes what a declared policy can do, and what is wrong with
// it: figures and rules over the vocabulary of package spec. It is pure: it reads
// no file and no clock, prints nothing, and gives the same bytes for the same
// object on every platform.
//
// [Object] judges one object by itself; what it needs of others (a monitor's
// signal, a baseline's profile) it finds in the object's own attributes.
//
// Three rules hold throughout. Unknown means later: a figure that depends on an
// unknown value is unknown, and a rule that needs it is silent. Null means that
// nobody declared it, which is the rule's to judge. A figure that does not exist
// (the power of a stage without a control) is null, never NaN or infinite.
package evaluate
