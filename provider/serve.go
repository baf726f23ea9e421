package provider

import (
	"context"
	"os"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Address is where Terraform finds the provider.
const Address = "registry.terraform.io/mlops-as-code/mlops"

// Serve serves the provider at a version until Terraform stops it. What it opens is
// added to opened, for the caller to close.
//
// Where nobody asked for logs, it spares what they cost. The SDK formats a line of
// trace for every step of every call, whether or not it is shown, and keeps the
// context of every call, loggers included, until the process ends: half of the time
// and most of the memory of a plan of a thousand objects (docs/performance.md). With
// logs, every call goes through the framework, which tells of each step.
func Serve(version string, opened *Opened, attachDebugger bool) error {
	provider := newProvider(version, opened)
	factory := providerserver.NewProtocol6(provider)
	if !logsWanted(os.Environ()) {
		if err := os.Setenv("TF_LOG_SDK", "off"); err != nil {
			return err
		}
		factory = tuned(factory, provider)
		// A provider lives for one command: memory is traded for time, as far as a plan
		// of 5,000 objects stays well below the 120 MB of docs/performance.md.
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(300)
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

// tunedServer is the framework's server but for the calls that Terraform makes for each
// object. Those about an object that is as it was are answered from their own bytes.
// All others get a context that carries nothing: the framework keeps it for ever. It
// derives a context of its own from it, and cancels that when Terraform stops the
// provider, so an interrupt still arrives.
type tunedServer struct {
	completeServer
	provider *Provider
}

func tuned(factory func() tfprotov6.ProviderServer, provider *Provider) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		server := factory()
		if complete, ok := server.(completeServer); ok {
			return tunedServer{complete, provider}
		}
		return server
	}
}

// bare makes a call with a context that carries nothing.
func bare[Request, Response any](call func(context.Context, Request) (Response, error), request Request) (Response, error) {
	return call(context.Background(), request)
}

func (s tunedServer) ValidateResourceConfig(_ context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return bare(s.completeServer.ValidateResourceConfig, req)
}

// UpgradeResourceState gives a state of today's schema back as it is written: Terraform
// reads JSON as well, and has taken out what the schema does not have.
func (s tunedServer) UpgradeResourceState(_ context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind, ok := spec.ByTerraformType(req.TypeName)
	if ok && req.Version == kind.Schema.Version && req.RawState != nil && len(req.RawState.JSON) > 0 {
		return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &tfprotov6.DynamicValue{JSON: req.RawState.JSON}}, nil
	}
	return bare(s.completeServer.UpgradeResourceState, req)
}

func (s tunedServer) UpgradeResourceIdentity(_ context.Context, req *tfprotov6.UpgradeResourceIdentityRequest) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return bare(s.completeServer.UpgradeResourceIdentity, req)
}

func (s tunedServer) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	answer, rest := s.provider.data.Load().ReadUnchanged(ctx, context.Background(), req)
	if answer != nil {
		return answer, nil
	}
	return s.completeServer.ReadResource(rest, req)
}

func (s tunedServer) PlanResourceChange(_ context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	if answer := s.provider.data.Load().PlanUnchanged(req); answer != nil {
		return answer, nil
	}
	return bare(s.completeServer.PlanResourceChange, req)
}

func (s tunedServer) ApplyResourceChange(_ context.Context, req *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return bare(s.completeServer.ApplyResourceChange, req)
}

func (s tunedServer) ImportResourceState(_ context.Context, req *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return bare(s.completeServer.ImportResourceState, req)
}

func (s tunedServer) ReadDataSource(_ context.Context, req *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return bare(s.completeServer.ReadDataSource, req)
}
