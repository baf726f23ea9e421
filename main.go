// Terraform-provider-mlops is the Terraform provider for MLOps policy as code.
package main

import (
	"context"
	"errors"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/mlops-as-code/terraform-provider-mlops/provider"
)

// version is set by the linker.
var version = "dev"

func main() {
	var debug bool
	flag.BoolVar(&debug, "debug", false, "run for a debugger: print the environment variable that tells Terraform to attach")
	flag.Parse()
	var opened provider.Opened
	err := providerserver.Serve(context.Background(), provider.New(version, &opened), providerserver.ServeOpts{
		Address: "registry.terraform.io/mlops-as-code/mlops",
		Debug:   debug,
	})
	if err := errors.Join(err, opened.Close()); err != nil {
		log.Fatal(err)
	}
}
