package controlplane

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// usageTime limits how long a scrape waits for the store.
const usageTime = 5 * time.Second

// metrics is what a server tells Prometheus. A nil one counts nothing.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	running  prometheus.Gauge
}

// newMetrics also asks the store how much it holds, and each of the watched
// files whether it could be read, whenever it is scraped.
func newMetrics(version string, store func(context.Context) (port.Usage, error), files map[string]func() bool, log *slog.Logger) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlops_http_requests_total", Help: "Requests that were answered, by method, route and status code.",
		}, []string{"method", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlops_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer, by method and route.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90},
		}, []string{"method", "route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mlops_http_requests_in_flight", Help: "Requests that are being answered."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mlops_build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.running, build, storeCollector{store, log},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for name, good := range files {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mlops_file_valid", Help: "1 where a file that is read again when it changes could be read the last time, 0 where an earlier content is still in use.",
			ConstLabels: prometheus.Labels{"file": name},
		}, func() float64 {
			if good() {
				return 1
			}
			return 0
		}))
	}
	return m
}

// begin counts a request in; what it returns counts it out.
func (m *metrics) begin() func(method, route string, status int, elapsed time.Duration) {
	if m == nil {
		return func(string, string, int, time.Duration) {}
	}
	m.running.Inc()
	return func(method, route string, status int, elapsed time.Duration) {
		// A caller may make up methods; each would be a series of its own.
		if known := []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"}; !slices.Contains(known, method) {
			method = "other"
		}
		m.running.Dec()
		m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
		m.seconds.WithLabelValues(method, route).Observe(elapsed.Seconds())
	}
}

func (m *metrics) handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)})
}

var (
	storeUp      = prometheus.NewDesc("mlops_store_up", "1 where the store said how much it holds, 0 where it could not.", nil, nil)
	storeBytes   = prometheus.NewDesc("mlops_store_size_bytes", "Size of the store's file and its write-ahead log.", nil, nil)
	storeObjects = prometheus.NewDesc("mlops_store_objects", "Objects in the store, by kind. Registered models in MLflow are not among them.", []string{"kind"}, nil)
)

type storeCollector struct {
	usage func(context.Context) (port.Usage, error)
	log   *slog.Logger
}

// Describe implements prometheus.Collector.
func (c storeCollector) Describe(out chan<- *prometheus.Desc) {
	out <- storeUp
	out <- storeBytes
	out <- storeObjects
}

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), usageTime)
	defer cancel()
	usage, err := c.usage(ctx)
	if err != nil {
		c.log.ErrorContext(ctx, "the store does not say how much it holds", "error", err)
		out <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, 0)
		return
	}
	out <- prometheus.MustNewConstMetric(storeUp, prometheus.GaugeValue, 1)
	out <- prometheus.MustNewConstMetric(storeBytes, prometheus.GaugeValue, float64(usage.Bytes))
	for kind, count := range usage.Objects {
		out <- prometheus.MustNewConstMetric(storeObjects, prometheus.GaugeValue, float64(count), kind)
	}
}
