// Terraform-provider-mlops is the Terraform provider for MLOps policy as code.
package main

import (
	"errors"
	"flag"
	"log"

	"github.com/mlops-as-code/terraform-provider-mlops/provider"
)

// version is set by the linker.
var version = "dev"

func main() {
	var debug bool
	flag.BoolVar(&debug, "debug", false, "run for a debugger: print the environment variable that tells Terraform to attach")
	flag.Parse()
	var opened provider.Opened
	err := provider.Serve(version, &opened, debug)
	if err := errors.Join(err, opened.Close()); err != nil {
		log.Fatal(err)
	}
}
