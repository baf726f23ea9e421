package controlplane_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// replicas are servers of one team over one database.
func replicas(t *testing.T, secrets map[string]string) (bases []string, database string) {
	t.Helper()
	database = testtools.Postgres(t).Database(t)
	file := tokenFile(t, secrets)
	for range 2 {
		bases = append(bases, serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", Database: database, TokenFile: file}))
	}
	return bases, database
}

// What a server answered holds for the other one in the next moment.
func TestServersOfOneDatabaseAreOneControlPlane(t *testing.T) {
	secrets := team()
	bases, _ := replicas(t, secrets)
	apply, admin := secrets["the-apply apply"], secrets["the-admin admin"]
	url := func(i int, path string) string { return bases[i%2] + path }

	key := "Idempotency-Key: " + fmt.Sprint(time.Now().UnixNano())
	first := askAs(t, http.MethodPut, url(0, "/v1/registered_model/fraud"), apply, putFraud, "If-None-Match: *", key)
	again := askAs(t, http.MethodPut, url(1, "/v1/registered_model/fraud"), apply, putFraud, "If-None-Match: *", key)
	if first.status != http.StatusCreated || again.status != http.StatusCreated || cmp.Diff(first.body, again.body) != "" {
		t.Errorf("the same request: %d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	if got := askAs(t, http.MethodPut, url(1, "/v1/registered_model/other"), apply, strings.Replace(putFraud, `"fraud"`, `"other"`, 1), "If-None-Match: *", key); got.code != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another request with the key: %d %s", got.status, got.body)
	}
	if one, other := askAs(t, http.MethodGet, url(0, "/v1/store"), apply, ""), askAs(t, http.MethodGet, url(1, "/v1/store"), apply, ""); one.body != other.body || !strings.Contains(one.body, `"registry":"postgres"`) {
		t.Errorf("two stores: %s %s", one.body, other.body)
	}

	// A revision is replaced once, whoever is asked.
	etag := first.header.Get("ETag")
	for i := range 20 {
		var answers [4]answered
		var group sync.WaitGroup
		for j := range answers {
			group.Go(func() {
				answers[j] = askAs(t, http.MethodPut, url(j, "/v1/registered_model/fraud"), apply, putFraud, "If-Match: "+etag)
			})
		}
		group.Wait()
		replaced := 0
		for _, got := range answers {
			switch {
			case got.status == http.StatusOK:
				replaced++
				etag = got.header.Get("ETag")
			case got.code != "ETAG_MISMATCH":
				t.Errorf("%d %s", got.status, got.body)
			}
		}
		if replaced != 1 {
			t.Fatalf("round %d: one revision was replaced %d times", i, replaced)
		}
	}

	// A token that one server minted opens the other, until either revokes it.
	made := mint(t, bases[0], apply, tokenBody("nightly", "read", "5m"))
	if got := askAs(t, http.MethodGet, url(1, "/v1/registered_model/fraud"), made.Token, ""); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodDelete, url(1, "/v1/tokens/"+made.ID), apply, ""); got.status != http.StatusNoContent {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := askAs(t, http.MethodGet, url(0, "/v1/registered_model/fraud"), made.Token, ""); got.code != "UNAUTHENTICATED" {
		t.Errorf("%d %s", got.status, got.body)
	}
	// Both write into one audit log.
	if audit := askAs(t, http.MethodGet, url(1, "/v1/audit?page_size=1000"), admin, "").body; strings.Count(audit, `"action":"updated"`) != 20 || strings.Count(audit, "ETAG_MISMATCH") != 60 || strings.Count(audit, `"kind":"token"`) != 2 {
		t.Error(audit)
	}
}

// A reader waits at one server for what is written through the other.
func TestAReaderHearsOfAWriteThroughAnotherServer(t *testing.T) {
	database := testtools.Postgres(t).Database(t)
	reader, writer := handlerOver(t, database), client.NewEmbedded(handlerOver(t, database))
	for i := range 5 {
		before := eventsOf(t, reader, "").Next
		got := make(chan eventsPage, 1)
		go func() { got <- eventsOf(t, reader, fmt.Sprintf("after=%d&wait=30", before)) }()
		name := fmt.Sprint("m", i)
		mustCreate(t, writer, "registered_model", name, string(modelNamed(name)))
		if page := receive(t, got); len(page.Items) != 1 || page.Items[0].ID != name {
			t.Errorf("%+v", page)
		}
	}
}

// A database that is away makes no answer that a client would take for a missing
// object, and none that it would not ask again.
func TestAServerWhoseDatabaseIsAwaySaysSoAndComesBack(t *testing.T) {
	postgres := testtools.StartPostgres(t)
	secret := token.Generate()
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", Database: postgres.Database(t), TokenFile: tokenFile(t, map[string]string{"ci apply": secret})})
	url := base + "/v1/registered_model/fraud"
	if got := askAs(t, http.MethodPut, url, secret, putFraud, "If-None-Match: *"); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
	postgres.Stop()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		got := askAs(t, method, url, secret, putFraud, "If-Match: *")
		if got.status != http.StatusServiceUnavailable || got.code != "UNAVAILABLE" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	if got := askAs(t, http.MethodGet, base+"/readyz", "", ""); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "127.0.0.1") {
		t.Errorf("ready: %d %s", got.status, got.body)
	}
	// A token that the file does not have may be one that was minted: nobody knows.
	if got := askAs(t, http.MethodGet, url, token.Generate(), ""); got.code != "UNAVAILABLE" {
		t.Errorf("with another token: %d %s", got.status, got.body)
	}
	patient, err := client.New(client.Options{Endpoint: base, Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := patient.Create(t.Context(), "baseline", "fraud/score", json.RawMessage(baseline))
		done <- err
	}()
	postgres.Start(t)
	if err := receive(t, done); err != nil {
		t.Errorf("a client that asks again: %v", err)
	}
	if got := askAs(t, http.MethodGet, base+"/readyz", "", ""); got.status != http.StatusOK {
		t.Errorf("ready: %d %s", got.status, got.body)
	}
}
