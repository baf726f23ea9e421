package controlplane

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// Options says where registered models live, and who hears about requests.
type Options struct {
	// MLflow, where it is set, is the registry of registered models. All other
	// kinds, and the events, stay in the file.
	MLflow *mlflow.Options
	// Logger gets one line a request, without bodies; nil discards.
	Logger *slog.Logger
	// served is for many clients, for whom reads are worth memory.
	served bool
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

func openService(path string, options Options) (*Service, *sqlite.Store, error) {
	store, err := sqlite.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if options.served {
		store.CacheReads()
	}
	registry, err := options.registry(store)
	if err != nil {
		return nil, nil, err
	}
	return NewService(registry, store.Policies(), options.Logger), store, nil
}

func (o Options) registry(store *sqlite.Store) (port.Registry, error) {
	if o.MLflow == nil {
		return store.Registry(), nil
	}
	return mlflow.New(*o.MLflow)
}
