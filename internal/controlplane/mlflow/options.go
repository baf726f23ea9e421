// Package mlflow keeps registered models in an MLflow model registry, by its
// REST API.
package mlflow

import "time"

// Options says where the registry is, and how to be let in. MLflow's own
// environment variables are the caller's to read.
type Options struct {
	// TrackingURI is the base URL of the server; it may have a path prefix.
	TrackingURI string
	// Username and Password are used where both are set, Token otherwise, as
	// MLflow's own client does.
	Username, Password string
	Token              string
	// CACertFile is a PEM file of the authorities to trust instead of the
	// system's.
	CACertFile string
	// InsecureTLS accepts any certificate.
	InsecureTLS bool
	// Timeout limits one request; 0 means 120 seconds, as in MLflow's client.
	Timeout time.Duration
}
