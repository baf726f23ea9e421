package provider

import (
	"context"
	"os"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// Address is where Terraform finds the provider.
const Address = "registry.terraform.io/mlops-as-code/mlops"

// Serve serves a provider until Terraform stops it.
//
// Where nobody asked for logs, it spares what they cost. The SDK formats a line of
// trace for every step of every call, whether or not it is shown, and keeps the
// context of every call, loggers included, until the process ends: half of the time
// and most of the memory of a plan of a thousand objects (docs/performance.md).
func Serve(newProvider func() provider.Provider, attachDebugger bool) error {
	factory := providerserver.NewProtocol6(newProvider())
	if !logsWanted(os.Environ()) {
		if err := os.Setenv("TF_LOG_SDK", "off"); err != nil {
			return err
		}
		factory = withoutContexts(factory)
		// A provider lives for one command: memory is traded for time.
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(400)
		}
	}
	var options []tf6server.ServeOpt
	if attachDebugger {
		options = append(options, tf6server.WithManagedDebug())
	}
	return tf6server.Serve(Address, factory, options...)
}

// logsWanted reports whether any of Terraform's logging variables is set.
func logsWanted(environment []string) bool {
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "TF_LOG") && value != "" {
			return true
		}
	}
	return false
}

// completeServer is everything that the framework's server can do: a wrapper that
// hides an optional part would take it from Terraform.
type completeServer interface {
	tfprotov6.ProviderServerWithListResource //nolint:staticcheck // deprecated in favour of an interface that does not exist yet
	tfprotov6.ProviderServerWithActions      //nolint:staticcheck // as above
	tfprotov6.ProviderServerWithStateStores  //nolint:staticcheck // as above
}

// bareServer answers the calls that Terraform makes for each object with a context
// that carries nothing. The framework derives a context of its own for each call and
// cancels it when Terraform stops the provider, so an interrupt still arrives.
type bareServer struct{ completeServer }

func withoutContexts(factory func() tfprotov6.ProviderServer) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		server := factory()
		if complete, ok := server.(completeServer); ok {
			return bareServer{complete}
		}
		return server
	}
}

func (s bareServer) ValidateResourceConfig(_ context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return s.completeServer.ValidateResourceConfig(context.Background(), req)
}

func (s bareServer) UpgradeResourceState(_ context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return s.completeServer.UpgradeResourceState(context.Background(), req)
}

func (s bareServer) UpgradeResourceIdentity(_ context.Context, req *tfprotov6.UpgradeResourceIdentityRequest) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return s.completeServer.UpgradeResourceIdentity(context.Background(), req)
}

func (s bareServer) ReadResource(_ context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return s.completeServer.ReadResource(context.Background(), req)
}

func (s bareServer) PlanResourceChange(_ context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	return s.completeServer.PlanResourceChange(context.Background(), req)
}

func (s bareServer) ApplyResourceChange(_ context.Context, req *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return s.completeServer.ApplyResourceChange(context.Background(), req)
}

func (s bareServer) ImportResourceState(_ context.Context, req *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return s.completeServer.ImportResourceState(context.Background(), req)
}

func (s bareServer) ReadDataSource(_ context.Context, req *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return s.completeServer.ReadDataSource(context.Background(), req)
}
