package controlplane_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

// patience is for what must happen, and would otherwise hang a test.
const patience = time.Minute

type eventsPage struct {
	Items []struct {
		Seq              int64
		Action, Kind, ID string
	}
	Next int64 `json:"next_after"`
}

func eventsOf(t *testing.T, handler http.Handler, query string) eventsPage {
	t.Helper()
	answer := ask(t, handler, "GET", "/v1/events?"+query, "", "")
	var page eventsPage
	if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil || answer.Code != 200 {
		t.Errorf("%s: %d %s", query, answer.Code, answer.Body)
	}
	return page
}

func modelNamed(name string) json.RawMessage {
	return json.RawMessage(strings.Replace(fraud, `"fraud"`, `"`+name+`"`, 1))
}

func TestReadersOfEventsMissNoneAndReadNoneTwice(t *testing.T) {
	onEachStore(t, readersOfEventsMissNoneAndReadNoneTwice)
}

func readersOfEventsMissNoneAndReadNoneTwice(t *testing.T, store string) {
	// Two control planes over one file, as two processes have it: one hears of the
	// other's writes only by looking.
	handlers := []http.Handler{handlerOver(t, store), handlerOver(t, store)}
	const writers, objects, readers = 4, 12, 6
	const total = writers * (objects*3 + 1) // created, updated, deleted; and a last word
	var group sync.WaitGroup
	for w := range writers {
		c := client.NewEmbedded(handlers[w%2])
		group.Go(func() {
			for i := range objects {
				name := fmt.Sprintf("m-%d-%d", w, i)
				o, err := c.Create(t.Context(), "registered_model", name, modelNamed(name))
				if err == nil {
					o, err = c.Update(t.Context(), "registered_model", name, o.ETag, modelNamed(name))
				}
				if err == nil {
					err = c.Delete(t.Context(), "registered_model", name, o.ETag)
				}
				if err != nil {
					t.Error(err)
				}
			}
			name := fmt.Sprint("last-", w)
			if _, err := c.Create(t.Context(), "registered_model", name, modelNamed(name)); err != nil {
				t.Error(err)
			}
		})
	}
	read := make([][]string, readers)
	for i := range readers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for after := int64(0); len(read[i]) < total && !t.Failed(); {
				page := eventsOf(t, handlers[i%2], fmt.Sprintf("after=%d&page_size=%d&wait=30", after, 1+random.IntN(9)))
				for _, e := range page.Items {
					if e.Seq <= after {
						t.Errorf("%d after %d", e.Seq, after)
					}
					after = e.Seq
					read[i] = append(read[i], fmt.Sprint(e.Seq, e.Action, e.ID))
				}
				if page.Next != after {
					t.Errorf("next_after is %d, the last event %d", page.Next, after)
				}
			}
		})
	}
	group.Wait()
	var all []string
	for _, e := range eventsOf(t, handlers[0], "page_size=1000").Items {
		all = append(all, fmt.Sprint(e.Seq, e.Action, e.ID))
	}
	if len(all) != total {
		t.Errorf("%d events of %d writes", len(all), total)
	}
	for i := range readers {
		if diff := cmp.Diff(all, read[i]); diff != "" {
			t.Errorf("reader %d (-all +read):\n%s", i, diff)
		}
	}
}

func TestAWaitEndsWithTheFirstEventOrWithItself(t *testing.T) {
	onEachStore(t, aWaitEndsWithTheFirstEventOrWithItself)
}

func aWaitEndsWithTheFirstEventOrWithItself(t *testing.T, store string) {
	handler := handlerOver(t, store)
	if page := eventsOf(t, handler, "after=7&wait=1"); len(page.Items) != 0 || page.Next != 7 {
		t.Errorf("nothing happened: %+v", page)
	}
	for name, writer := range map[string]http.Handler{"in this process": handler, "in another": handlerOver(t, store)} {
		t.Run(name, func(t *testing.T) {
			before := eventsOf(t, handler, "").Next
			got := make(chan eventsPage)
			go func() { got <- eventsOf(t, handler, fmt.Sprintf("after=%d&wait=30", before)) }()
			mustCreate(t, client.NewEmbedded(writer), "registered_model", name, string(modelNamed(name)))
			select {
			case page := <-got:
				if len(page.Items) != 1 || page.Items[0].ID != name {
					t.Errorf("%+v", page)
				}
			case <-time.After(patience):
				t.Error("nobody told the reader")
			}
		})
	}
	for query, says := range map[string]string{"wait=-1": "wait", "wait=soon": "wait", "wait=1.5": "wait", "after=-1": "after", "after=99999999999999999999": "after", "wait=1&wait=2": "2 times"} {
		if answer := ask(t, handler, "GET", "/v1/events?"+query, "", ""); answer.Code != 400 || !strings.Contains(answer.Body.String(), says) {
			t.Errorf("%s: %d %s", query, answer.Code, answer.Body)
		}
	}
	// Longer waits than are possible are cut, whatever their size.
	if page := eventsOf(t, handler, "wait=9000000000000000000"); len(page.Items) != 2 {
		t.Errorf("%+v", page)
	}
}

// waitOnAllPlaces has one reader more than there are places wait for events. It
// returns once that one was refused, and so all the others wait; they are answered
// into the channel.
func waitOnAllPlaces(ctx context.Context, t *testing.T, base string) <-chan string {
	t.Helper()
	answers := make(chan string, controlplane.MaxWaiting+1)
	for range controlplane.MaxWaiting + 1 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/events?wait=30", nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			answers <- fmt.Sprint(response.StatusCode, " ", response.Header.Get("Retry-After"), " ", strings.TrimSpace(string(body)), " ", err)
		}()
	}
	if refused := receive(t, answers); !strings.HasPrefix(refused, "503 5 ") || !strings.Contains(refused, "UNAVAILABLE") {
		t.Fatalf("one reader too many is answered %s", refused)
	}
	return answers
}

func receive[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		t.Fatal("waited in vain")
	}
	return got
}

func TestReadersThatLeaveGiveUpTheirPlace(t *testing.T) {
	handler := handlerOver(t, filepath.Join(t.TempDir(), "mlops.db"))
	left := make(chan int, controlplane.MaxWaiting+1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { left <- 1 }()
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	waitOnAllPlaces(ctx, t, server.URL)
	if page := eventsOf(t, handler, ""); page.Next != 0 {
		t.Errorf("who does not wait needs no place: %+v", page)
	}
	leave()
	for range controlplane.MaxWaiting + 1 {
		receive(t, left)
	}
	if answer := ask(t, handler, "GET", "/v1/events?wait=1", "", ""); answer.Code != 200 {
		t.Errorf("all places are free, and the answer is %d %s", answer.Code, answer.Body)
	}
}

func TestASlowReaderIsInNobodysWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	c := open(t, path)
	o := mustCreate(t, c, "registered_model", "fraud", fraud)
	for range 999 {
		var err error
		if o, err = c.Update(t.Context(), "registered_model", "fraud", o.ETag, json.RawMessage(fraud)); err != nil {
			t.Fatal(err)
		}
	}
	base := serve(t, controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: path})
	connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(connection, "GET /v1/events?page_size=1000&wait=30 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	reader := bufio.NewReaderSize(connection, 16)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	// The answer is under way, and the reader reads no further.
	if _, err := c.Update(t.Context(), "registered_model", "fraud", o.ETag, json.RawMessage(fraud)); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(rest), "\r\n\r\n")
	var page eventsPage
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1000 || page.Next != page.Items[999].Seq {
		t.Errorf("%v, %d events, next %d", err, len(page.Items), page.Next)
	}
}

func TestTheEndOfTheServerEndsWaits(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	listening, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- controlplane.Serve(ctx, controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: filepath.Join(t.TempDir(), "mlops.db"), OnListen: func(url string) { listening <- url }})
	}()
	answers := waitOnAllPlaces(t.Context(), t, <-listening)
	stop()
	for range controlplane.MaxWaiting {
		if answer := receive(t, answers); answer != `200  {"items":[],"next_after":0} <nil>` {
			t.Errorf("a reader that waits is answered %s", answer)
		}
	}
	if err := receive(t, done); err != nil {
		t.Errorf("the server waited for readers that wait: %v", err)
	}
}
