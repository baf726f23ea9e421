package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// balancer is one address for several servers: each request goes to the next one that
// takes a connection, and a request that breaks off is a 502.
type balancer struct {
	*httptest.Server
	asked  []atomic.Int64 // connections that each server took
	broken atomic.Int64   // requests that broke off
	next   atomic.Int64
}

func newBalancer(t *testing.T, addresses ...string) *balancer {
	t.Helper()
	b := &balancer{asked: make([]atomic.Int64, len(addresses))}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "balanced"
			r.Out.Host = "localhost" // a server that asks for no tokens answers no other name
		},
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (connection net.Conn, err error) {
			first := int(b.next.Add(1))
			for i := range addresses {
				server := (first + i) % len(addresses)
				if connection, err = new(net.Dialer).DialContext(ctx, network, addresses[server]); err == nil {
					b.asked[server].Add(1)
					return connection, nil
				}
			}
			return nil, err
		}},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			b.broken.Add(1)
			http.Error(w, "the server is gone", http.StatusBadGateway)
		},
	}
	b.Server = httptest.NewServer(forward)
	t.Cleanup(b.Close)
	return b
}

// A real Terraform applies 200 objects over two servers of one database. One of them is
// killed in the middle of it: the apply succeeds over the other one, and what was
// answered is there.
func TestTwoServersOfOneDatabaseOutliveTheDeathOfOne(t *testing.T) {
	terraform := testtools.Require(t, testtools.Terraform)
	database := testtools.Postgres(t).Database(t)
	built := buildPrograms(t)
	var servers []*servedPlane
	for range 2 {
		server := &servedPlane{t: t, program: built.mlopsctl, database: database, address: testtools.FreeAddress(t)}
		server.start()
		t.Cleanup(server.kill)
		servers = append(servers, server)
	}
	balanced := newBalancer(t, servers[0].address, servers[1].address)
	world := &faultyWorld{t: t, terraform: terraform, directory: t.TempDir(), server: servers[1]}
	world.declare(built, balanced.URL)

	killed := make(chan struct{})
	go func() {
		defer close(killed)
		// A clean apply has some 250 requests.
		for balanced.asked[0].Load() < 40 && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		servers[0].kill()
	}()
	out, err := world.command("apply", "-auto-approve").CombinedOutput()
	if err != nil {
		t.Fatalf("terraform apply: %v\n%s", err, out)
	}
	<-killed
	t.Logf("the servers took %d and %d requests; %d broke off", balanced.asked[0].Load(), balanced.asked[1].Load(), balanced.broken.Load())
	if balanced.asked[1].Load() < 100 {
		t.Error("the other server was hardly asked")
	}
	if diff := cmp.Diff(world.objects(), world.state()); diff != "" || len(world.state()) != world.expected {
		t.Errorf("the control plane (-) and the state (+), of %d objects, differ:\n%s", world.expected, diff)
	}
	world.succeeds("plan", "-detailed-exitcode")

	servers[0].start()
	world.server = servers[0]
	if diff := cmp.Diff(world.state(), world.objects()); diff != "" {
		t.Errorf("the server that came back (+) has not what the state (-) has:\n%s", diff)
	}
	world.succeeds("destroy", "-auto-approve")
	if left := world.objects(); len(left) > 0 {
		t.Errorf("%d objects are left", len(left))
	}
}
