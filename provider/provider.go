// Package provider is what Terraform alone needs: configuration, resources,
// functions. What they mean is in packages spec and internal/evaluate.
package provider

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mlops-as-code/terraform-provider-mlops/provider/access"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/envelope"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/functions"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/monitoring"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/registry"
	"github.com/mlops-as-code/terraform-provider-mlops/provider/rollout"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Provider is the Terraform provider.
type Provider struct {
	version string
	lookup  func(string) (string, bool)
	opened  *Opened
	// data is what the configuration gave: nil before it is there.
	data atomic.Pointer[envelope.Data]
}

// Opened collects what configured providers hold open, one for each alias, until
// the process ends.
type Opened struct {
	mu      sync.Mutex
	closers []io.Closer
}

func (o *Opened) add(closer io.Closer) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closers = append(o.closers, closer)
}

// Close releases the embedded files: what is still in SQLite's write-ahead log goes
// into the file itself, so that one file is all there is to move or to back up.
func (o *Opened) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, closer := range o.closers {
		errs = append(errs, closer.Close())
	}
	o.closers = nil
	return errors.Join(errs...)
}

var (
	_ provider.ProviderWithFunctions          = (*Provider)(nil)
	_ provider.ProviderWithValidateConfig     = (*Provider)(nil)
	_ provider.ProviderWithEphemeralResources = (*Provider)(nil)
)

// New returns the constructor of the provider at a version. What it opens is
// added to opened, for the caller to close; nil leaves it open.
func New(version string, opened *Opened) func() provider.Provider {
	return func() provider.Provider { return newProvider(version, opened) }
}

func newProvider(version string, opened *Opened) *Provider {
	return &Provider{version: version, lookup: os.LookupEnv, opened: opened}
}

// Metadata names the provider.
func (p *Provider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "mlops"
	resp.Version = p.version
}

// Resources lists a resource for each kind.
func (p *Provider) Resources(context.Context) []func() resource.Resource {
	var out []func() resource.Resource
	out = append(out, registry.Resources()...)
	out = append(out, monitoring.Resources()...)
	out = append(out, rollout.Resources()...)
	return out
}

// DataSources lists a data source for each kind, and those that judge and search.
func (p *Provider) DataSources(context.Context) []func() datasource.DataSource {
	out := append(monitoring.DataSources(), registry.DataSources()...)
	for _, kind := range spec.All() {
		out = append(out, envelope.NewDataSource(kind))
	}
	return out
}

// EphemeralResources lists what lives no longer than a run.
func (p *Provider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return access.EphemeralResources()
}

// Functions lists the evaluator's statistics.
func (p *Provider) Functions(context.Context) []func() function.Function { return functions.All() }
