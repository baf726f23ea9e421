// Package controlplane is the service that keeps declared objects: registered
// models, baselines, monitors, alert thresholds and rollout policies. It has one
// door, the HTTP API of [NewHandler]; the provider and mlopsctl go through it
// even where it runs in their own process ([OpenEmbedded]), and [Serve] opens it
// to a team.
//
// What is kept lies behind two ports (package port): registered models in the
// control plane's SQLite file or in MLflow, everything else in the file.
package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// modelAttribute is the key attribute that makes an object a part of a
// registered model.
const modelAttribute = "model"

// Service holds the rules that no store knows: what a valid object is, which
// store keeps it, and that nothing belongs to a model that does not exist.
type Service struct {
	registry port.Registry
	policies port.Policies
	log      *slog.Logger
}

// NewService puts a service in front of its stores. A nil logger discards.
func NewService(registry port.Registry, policies port.Policies, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{registry: registry, policies: policies, log: log}
}

// Get returns an object, or an error with code NOT_FOUND.
func (s *Service) Get(ctx context.Context, ref port.Ref) (port.Object, error) {
	if ref.Kind == port.RegisteredModel {
		return s.registry.Get(ctx, ref.ID)
	}
	return s.policies.Get(ctx, ref)
}

// List returns a page of the objects of a kind, by id.
func (s *Service) List(ctx context.Context, kind string, page port.PageRequest) (port.Page, error) {
	if kind == port.RegisteredModel {
		return s.registry.List(ctx, page)
	}
	return s.policies.List(ctx, kind, page)
}

// Item is what [Service.BatchGet] found for one reference: an object or an error.
type Item struct {
	Ref    port.Ref
	Object port.Object
	Err    error
}

// BatchGet reads many objects, each by itself: not one snapshot of them all.
func (s *Service) BatchGet(ctx context.Context, refs []port.Ref) ([]Item, error) {
	items := make([]Item, len(refs))
	var group errgroup.Group
	group.SetLimit(8)
	for i, ref := range refs {
		group.Go(func() error {
			items[i].Ref = ref
			if items[i].Err = CheckRef(ref); items[i].Err == nil {
				items[i].Object, items[i].Err = s.Get(ctx, ref)
			}
			return nil
		})
	}
	_ = group.Wait()
	return items, ctx.Err()
}

// Put creates or replaces an object. Its attributes are compact JSON; they are
// decoded with the kind's schema and held against its constraints, then kept
// byte for byte, secrets apart.
func (s *Service) Put(ctx context.Context, ref port.Ref, attributes json.RawMessage, only port.Precondition) (port.Object, error) {
	kind, err := kindOf(ref.Kind)
	if err != nil {
		return port.Object{}, err
	}
	value, err := decode(kind, attributes)
	if err != nil {
		return port.Object{}, err
	}
	if id, ok := kind.ID(value); !ok || id != ref.ID {
		return port.Object{}, keyMismatch(kind, ref, value)
	}
	write := port.Write{Ref: ref, Attributes: attributes, If: only}
	if err := apart(&write, kind, value); err != nil {
		return port.Object{}, err
	}
	if ref.Kind == port.RegisteredModel {
		object, err := s.registry.Put(ctx, write)
		if err == nil && !s.registry.Transactional() {
			action := port.Updated
			if only.Creates() {
				action = port.Created
			}
			s.record(ctx, action, object)
		}
		return object, err
	}
	if slices.Contains(kind.Key, modelAttribute) {
		write.Model = value.GetAttr(modelAttribute).AsString()
	}
	if write.Model != "" && !s.registry.Transactional() {
		// Best effort: the model may go between this and the write.
		switch _, err := s.registry.Get(ctx, write.Model); {
		case port.CodeOf(err) == port.CodeNotFound:
			return port.Object{}, port.ModelMissing(ref, write.Model)
		case err != nil:
			return port.Object{}, err
		}
		write.ModelElsewhere = true
	}
	return s.policies.Put(ctx, write)
}

// apart takes the secrets out of what is written: stores keep them by themselves, and
// every answer is made of the attributes.
func apart(write *port.Write, kind *spec.Kind, value cty.Value) error {
	given := false
	for _, secret := range kind.Secrets(value) {
		given = given || secret.Value != ""
		if secret.Version != "" {
			write.Secrets = append(write.Secrets, port.Secret{Name: secret.Name, Version: secret.Version, Value: secret.Value})
		}
	}
	if !given {
		return nil
	}
	masked, err := kind.EncodeJSON(kind.WithoutSecrets(value))
	if err != nil {
		return err
	}
	write.Attributes = masked
	return nil
}

// Delete removes an object. A registered model with objects that belong to it
// stays; cascade only concerns what an external registry keeps under it.
func (s *Service) Delete(ctx context.Context, ref port.Ref, cascade bool, only port.Precondition) error {
	request := port.Delete{Ref: ref, If: only, Cascade: cascade}
	if ref.Kind != port.RegisteredModel {
		return s.policies.Delete(ctx, request)
	}
	if s.registry.Transactional() {
		_, err := s.registry.Delete(ctx, request)
		return err
	}
	blocking, err := s.policies.Children(ctx, ref.ID)
	if err != nil {
		return err
	}
	if len(blocking) > 0 {
		return port.HasChildren(ref.ID, blocking)
	}
	object, err := s.registry.Delete(ctx, request)
	if err == nil {
		s.record(ctx, port.Deleted, object)
	}
	return err
}

// record keeps the event of a write in an external registry. The write has
// happened, so a failure here cannot make it undone, and must not be the answer.
func (s *Service) record(ctx context.Context, action string, object port.Object) {
	if err := s.policies.Record(context.WithoutCancel(ctx), action, object); err != nil {
		s.log.ErrorContext(ctx, "a write has no event", "action", action, "kind", object.Kind, "id", object.ID, "error", err)
	}
}

// Events returns writes after a sequence number, oldest first.
func (s *Service) Events(ctx context.Context, after int64, limit int) ([]port.Event, error) {
	return s.policies.Events(ctx, after, limit)
}

// StoreInfo identifies the control plane's store.
type StoreInfo struct {
	// ID is made with the file and never changes; empty while there is none.
	ID string `json:"id"`
	// Registry is where registered models live: sqlite or mlflow.
	Registry string `json:"registry"`
	// Exists is false until the first write.
	Exists bool `json:"exists"`
}

// Store identifies the control plane's store. A client that finds another id, or
// none, than the one it wrote to knows that a missing object says nothing.
func (s *Service) Store(ctx context.Context) (StoreInfo, error) {
	info, err := s.policies.Info(ctx)
	return StoreInfo{ID: info.ID, Registry: s.registry.Name(), Exists: info.Exists}, err
}

// Ready reports whether the stores can answer.
func (s *Service) Ready(ctx context.Context) error {
	return errors.Join(s.policies.Ready(ctx), s.registry.Ready(ctx))
}

// CheckRef reports whether a reference can name an object: a known kind, and
// one name for each of its key attributes.
func CheckRef(ref port.Ref) error {
	kind, err := kindOf(ref.Kind)
	if err != nil {
		return err
	}
	if _, err := kind.ParseID(ref.ID); err != nil {
		return invalid("%v.", err)
	}
	return nil
}

func kindOf(name string) (*spec.Kind, error) {
	if kind, ok := spec.ByName(name); ok {
		return kind, nil
	}
	return nil, &port.Error{Code: codeUnknownKind, Detail: "There is no kind of object called " + quote(name) + " here. The kinds are " + kindNames() + "; the server may be older than the client."}
}

func keyMismatch(kind *spec.Kind, ref port.Ref, value cty.Value) error {
	id, _ := kind.ID(value)
	return invalid("The address says %s, and the attributes say %s. The %s in the address must equal the attributes.", quote(ref.ID), quote(id), joinKey(kind))
}
