// Package testtools finds the external programs that some tests need: the
// Terraform or OpenTofu command line, promtool, PostgreSQL, and Pythons that have
// MLflow, the statistical peers and schemathesis.
//
// `make test` installs them under .cache in the checkout and names them in
// environment variables. A test that asks for a tool which is not there is
// skipped with the reason, or fails where MLOPS_REQUIRE=all is set, as in CI:
// a skipped test must never look like a passing one.
package testtools

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

// The environment variables that name the tools. Each holds the absolute path
// of an executable. Where `make test` could not prepare a tool, its variable is
// empty and the same name followed by _MISSING holds the reason.
const (
	// Terraform is the Terraform or OpenTofu command line under test.
	Terraform = "MLOPS_TEST_TERRAFORM"
	// Promtool is Prometheus's checker of rule files.
	Promtool = "MLOPS_TEST_PROMTOOL"
	// PostgresServerPath is PostgreSQL's server, postgres, with initdb beside it.
	PostgresServerPath = "MLOPS_TEST_POSTGRES"
	// PythonMLflow is a Python interpreter that can import mlflow.
	PythonMLflow = "MLOPS_TEST_PYTHON"
	// PythonPeers is a Python interpreter that can import the statistical peers:
	// internal/stats/testdata/generate/requirements.txt.
	PythonPeers = "MLOPS_TEST_PEERS_PYTHON"
	// PythonSchemathesis is a Python interpreter that can import schemathesis.
	PythonSchemathesis = "MLOPS_TEST_SCHEMATHESIS_PYTHON"
)

// Require returns the path of the tool that the environment variable name
// holds. Without it the test is skipped with the reason; with MLOPS_REQUIRE=all
// it fails instead.
func Require(t testing.TB, name string) string {
	t.Helper()
	path, problem := lookup(name)
	if problem != "" {
		missing(t, problem)
	}
	return path
}

// OnPath returns the path of a program that the machine has, by the rules of [Require].
func OnPath(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, err.Error())
	}
	return path
}

// FreeAddress is a port on loopback that nobody listens on, for a server that is told
// its address, or comes back to it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// missing ends a test that cannot have what it needs.
func missing(t testing.TB, problem string) {
	t.Helper()
	if os.Getenv("MLOPS_REQUIRE") == "all" {
		t.Fatalf("%s, and MLOPS_REQUIRE=all makes that a failure", problem)
	}
	t.Skipf("SKIP: %s (MLOPS_REQUIRE=all makes this a failure)", problem)
}

// Python returns a Python interpreter that can import mlflow, by the rules of
// [Require].
func Python(t testing.TB) string {
	t.Helper()
	return Require(t, PythonMLflow)
}

// lookup returns the path in the environment variable name, or else why there
// is none.
func lookup(name string) (path, problem string) {
	path = os.Getenv(name)
	if path == "" {
		if reason := os.Getenv(name + "_MISSING"); reason != "" {
			return "", reason
		}
		return "", fmt.Sprintf("%s is not set: `make test` sets it, and `. .cache/test.env` does after `make tools`", name)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Sprintf("%s names a file that is not there: %v", name, err)
	}
	return path, ""
}
