// A distribution of the OpenTelemetry Collector: the components that docs/monitoring/otel-collector.yaml names, and an exporter
// "stdout" that writes what it is given as a line of OTLP/JSON a request, by which tests read what the Collector understood.
// Its command line is the Collector's own: --config FILE, --set KEY=VALUE.
package main

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

// stdout is an exporter of traces and logs.
type stdout struct {
	component.StartFunc
	component.ShutdownFunc
}

var lock sync.Mutex

func line(text []byte, err error) error {
	if err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	_, err = fmt.Printf("%s\n", text)
	return err
}

func (stdout) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (stdout) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	return line((&ptrace.JSONMarshaler{}).MarshalTraces(traces))
}

func (stdout) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	return line((&plog.JSONMarshaler{}).MarshalLogs(logs))
}

func stdoutFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("stdout"),
		func() component.Config { return &struct{}{} },
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			return stdout{}, nil
		}, component.StabilityLevelDevelopment),
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) {
			return stdout{}, nil
		}, component.StabilityLevelDevelopment),
	)
}

func factories() (made otelcol.Factories, err error) {
	if made.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return
	}
	made.Processors, err = otelcol.MakeFactoryMap[processor.Factory](
		memorylimiterprocessor.NewFactory(), batchprocessor.NewFactory())
	if err != nil {
		return
	}
	made.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](
		otlpexporter.NewFactory(), otlphttpexporter.NewFactory(), prometheusremotewriteexporter.NewFactory(),
		stdoutFactory())
	// It tells nothing of itself.
	made.Telemetry = telemetry.NewFactory(func() component.Config { return &struct{}{} })
	return
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Description: "Collector of the tests", Version: "0.165.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{
				fileprovider.NewFactory(), envprovider.NewFactory(), yamlprovider.NewFactory(),
			},
			DefaultScheme: "env",
		}},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
