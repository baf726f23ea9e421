package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Upgrade changes the attributes of an object, as Terraform keeps them in a state, from
// one version of a kind's schema to the next. They are what JSON has: maps, slices,
// texts, booleans, nil, and [json.Number] for numbers. Attributes that are left out
// become null.
type Upgrade func(attributes map[string]any) error

// SchemaVersion is the version of the kind's schema that states carry: 0 for the first
// one, and one more with each of [Kind.Upgrades].
func (k *Kind) SchemaVersion() int64 { return int64(len(k.Upgrades)) }

// UpgradeJSON brings the attributes of an object, as a state of an earlier schema
// version has them in JSON, to the present version.
func (k *Kind) UpgradeJSON(version int64, state []byte) ([]byte, error) {
	if version < 0 || version > k.SchemaVersion() {
		return nil, fmt.Errorf("version %d of the schema of %s is not known here, only 0 to %d", version, k.Name, k.SchemaVersion())
	}
	decoder := json.NewDecoder(bytes.NewReader(state))
	decoder.UseNumber() // keeps what a float64 cannot hold
	var attributes map[string]any
	if err := decoder.Decode(&attributes); err != nil {
		return nil, fmt.Errorf("reading the state of a %s: %w", k.Name, err)
	}
	for i, upgrade := range k.Upgrades[version:] {
		if err := upgrade(attributes); err != nil {
			return nil, fmt.Errorf("bringing a %s from version %d of its schema to %d: %w", k.Name, version+int64(i), version+int64(i)+1, err)
		}
	}
	return json.Marshal(attributes)
}
