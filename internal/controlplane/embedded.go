package controlplane

import (
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/postgres"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// Options says where registered models live, and who hears about requests.
type Options struct {
	// MLflow, where it is set, is the registry of registered models. All other
	// kinds, and the events, stay in the file.
	MLflow *mlflow.Options
	// Logger gets one line a request, without bodies; nil discards.
	Logger *slog.Logger
}

// OpenEmbedded is the control plane's handler over a SQLite file, for a client
// in the same process. It neither reads nor creates the file: that happens with
// the first request that needs it. The closer releases the file.
func OpenEmbedded(path string, options Options) (http.Handler, io.Closer, error) {
	service, store, err := openService(path, options)
	if err != nil {
		return nil, nil, err
	}
	return NewHandler(service), store, nil
}

// store is a place for a whole control plane.
type store interface {
	Registry() port.Registry
	Policies() port.Policies
	io.Closer
}

func openService(path string, options Options) (*Service, store, error) {
	kept, err := sqlite.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return options.serviceOver(kept)
}

// openService opens the store of a server.
func (o ListenOptions) openService() (*Service, store, error) {
	options := Options{MLflow: o.MLflow, Logger: o.Logger}
	if o.Database == "" {
		return openService(o.DataFile, options)
	}
	kept, err := postgres.Open(o.Database, o.Logger)
	if err != nil {
		return nil, nil, err
	}
	return options.serviceOver(kept)
}

// serviceOver puts a service in front of a store, which is closed where that fails.
func (o Options) serviceOver(kept store) (*Service, store, error) {
	registry := kept.Registry()
	if o.MLflow != nil {
		elsewhere, err := mlflow.New(*o.MLflow)
		if err != nil {
			return nil, nil, errors.Join(err, kept.Close())
		}
		registry = elsewhere
	}
	return NewService(registry, kept.Policies(), o.Logger), kept, nil
}
