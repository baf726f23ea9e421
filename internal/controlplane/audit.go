package controlplane

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// auditTime limits writing down a refusal, so that a store that is locked does
// not keep the answer back for long.
const auditTime = 5 * time.Second

// Audit returns writes and refused writes after a sequence number, oldest first.
func (s *Service) Audit(ctx context.Context, after int64, limit int) ([]port.AuditEntry, error) {
	return s.policies.Audit(ctx, after, limit)
}

func (h *handler) audit(w http.ResponseWriter, r *http.Request, _ []string) error {
	query, err := parameters(r, "after", "page_size")
	if err != nil {
		return err
	}
	after, err := wholeNumber(query, "after", 0, "from 0, the seq of the last entry you have")
	if err != nil {
		return err
	}
	size, err := pageSize(query)
	if err != nil {
		return err
	}
	found, err := h.service.Audit(r.Context(), after, size)
	if err != nil {
		return err
	}
	type entry struct {
		Seq       int64     `json:"seq"`
		At        time.Time `json:"at"`
		Actor     string    `json:"actor,omitempty"`
		Address   string    `json:"address,omitempty"`
		RequestID string    `json:"request_id,omitempty"`
		Action    string    `json:"action"`
		Kind      string    `json:"kind,omitempty"`
		ID        string    `json:"id,omitempty"`
		UID       string    `json:"uid,omitempty"`
		From      string    `json:"from_etag,omitempty"`
		To        string    `json:"to_etag,omitempty"`
		// Code is why the write was refused.
		Code port.Code `json:"code,omitempty"`
	}
	items, next := make([]entry, len(found)), after
	for i, e := range found {
		items[i] = entry{e.Seq, e.At, e.Caller.Name, e.Caller.Address, e.Caller.RequestID, e.Action, e.Kind, e.ID, e.UID, e.From, e.To, e.Code}
		next = e.Seq
	}
	writeOK(w, struct {
		Items []entry `json:"items"`
		// Next is what to pass as after next time, also where nothing is new.
		Next int64 `json:"next_after"`
	}{items, next})
	return nil
}

// audited writes down each write that the next handler refuses. Those that it
// carries out are written down by the store, in the same transaction.
func audited(next http.Handler, auditor port.Auditor, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		recorder, ok := w.(*statusRecorder)
		if !ok || recorder.code == "" || isRead(r) {
			return
		}
		// Also where the caller has gone meanwhile.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), auditTime)
		defer cancel()
		entry := port.AuditEntry{
			Event:  port.Event{Action: r.Method, Ref: refOf(r.URL)},
			Caller: port.CallerOf(ctx), From: soleTag(r.Header.Get("If-Match")), Code: recorder.code,
		}
		if err := auditor.Refused(ctx, entry); err != nil {
			log.ErrorContext(ctx, "a refused write is not in the audit log", "request_id", entry.Caller.RequestID, "code", string(entry.Code), "error", err)
		}
	})
}

// isRead reports whether a request changes nothing. What is not known to be a
// read is a write.
func isRead(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	case http.MethodPost:
		return r.URL.EscapedPath() == "/v1/resources:batchGet"
	}
	return false
}

// refOf is the object that a path names, as far as it does. Both parts are
// bounded: whatever was sent may have been refused for its length.
func refOf(u *url.URL) port.Ref {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/v1/")
	if !ok {
		return port.Ref{ID: bounded(u.Path)}
	}
	kind, id, _ := strings.Cut(rest, "/")
	if kind == "tokens" { // every other path has the kind's own name
		kind = port.TokenKind
	}
	if name, err := url.PathUnescape(id); err == nil {
		id = name
	}
	return port.Ref{Kind: bounded(kind), ID: bounded(id)}
}

func bounded(s string) string {
	const most = 600
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), most)], "?"), "\x00", "?") // what every store keeps
}

// soleTag is the revision that the caller meant, where it named just one.
func soleTag(match string) string {
	if tags, err := entityTags("If-Match", match, false); err == nil && len(tags) == 1 {
		return bounded(tags[0])
	}
	return ""
}
