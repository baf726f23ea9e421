package envelope

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
)

// Data is what the configured provider hands to its resources. Client is nil
// while the provider's configuration has unknown values.
type Data struct {
	Client   *client.Client
	Reviewer *review.Reviewer
	// Timeout limits one operation on one object, repeated requests included; 0 sets no
	// limit.
	Timeout time.Duration

	mu    sync.Mutex
	store string
	// unclaimed has, by what they are added to, the idempotency keys of objects that
	// earlier processes added and did not live to keep.
	unclaimed map[string][]string
	// reviews holds, by kind and id, what the last plan hook remembers of an object:
	// what that hook leaves in the private state does not reach a create.
	reviews sync.Map
}

// DataOf is what the provider made of its configuration: nil before it has one, when
// only validation runs.
func DataOf(providerData any, diags *diag.Diagnostics) *Data {
	if providerData == nil {
		return nil
	}
	data, ok := providerData.(*Data)
	if !ok {
		diags.AddError("Unexpected provider data", fmt.Sprintf("The provider handed over %T. This is a bug in the provider: please report it.", providerData))
	}
	return data
}

// Ready reports whether there is a control plane to talk to.
func (d *Data) Ready(diags *diag.Diagnostics) bool {
	if d != nil && d.Client != nil {
		return true
	}
	diags.AddError("The provider is not configured", "The provider's configuration has values that are not known yet, so there is no control plane to talk to.\n\nFix: give `endpoint`, `token`, `path` and `mlflow` values that do not depend on resources of the same run, or apply those resources first with -target.")
	return false
}

// Limited is the context of one operation.
func (d *Data) Limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if d == nil || d.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.Timeout)
}

// storeID names the store that answered, or is empty where it does not say. The
// store is asked until it exists, and once from then on.
func (d *Data) storeID(ctx context.Context) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == "" {
		if store, err := d.Client.Store(ctx); err == nil {
			d.store = store.ID
		}
	}
	return d.store
}

// requestKey is the idempotency key for adding an object that the control plane
// numbers. It begins with a digest of what is declared: where an earlier process added
// such an object and was killed before the state had it, its key is used again, which
// gives that object and makes no second one. Each key is used once, so that objects
// which declare the same stay two. Once the state has an object, its key is given up:
// see [Resource.acknowledge].
func (d *Data) requestKey(ctx context.Context, kind, parent string, body []byte) (string, error) {
	digest := sha256.New()
	_, _ = fmt.Fprintf(digest, "%s\n%s\n", kind, parent)
	digest.Write(body)
	declared := hex.EncodeToString(digest.Sum(nil)) + "-"
	d.mu.Lock()
	defer d.mu.Unlock()
	at := kind + "/" + parent
	keys, asked := d.unclaimed[at]
	if !asked {
		added, err := d.Client.Unacknowledged(ctx, kind, parent)
		if err != nil {
			return "", err
		}
		for _, a := range added {
			keys = append(keys, a.Key)
		}
		if d.unclaimed == nil {
			d.unclaimed = map[string][]string{}
		}
	}
	key := declared + uuid.NewString()
	if i := slices.IndexFunc(keys, func(k string) bool { return strings.HasPrefix(k, declared) }); i >= 0 {
		key = keys[i]
		keys = slices.Delete(keys, i, i+1)
	}
	d.unclaimed[at] = keys
	return key, nil
}
