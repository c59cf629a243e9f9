// An OpenTelemetry collector with the components that the committed configuration names. The module of the X-Ray exporter does not
// resolve: the exporter here has the same name and settings, and prints each span as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

type settings struct {
	Region    string `mapstructure:"region"`
	LocalMode bool   `mapstructure:"local_mode"`
}

func write(_ context.Context, traces ptrace.Traces) (err error) {
	out := json.NewEncoder(os.Stdout)
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				err = errors.Join(err, out.Encode(map[string]any{
					"trace": span.TraceID().String(), "span": span.SpanID().String(), "parent": span.ParentSpanID().String(), "name": span.Name(),
					"resource": resource.Resource().Attributes().AsRaw(), "attributes": span.Attributes().AsRaw(),
				}))
			}
		}
	}
	return err
}

func factories() (otelcol.Factories, error) {
	traces := func(ctx context.Context, set exporter.Settings, config component.Config) (exporter.Traces, error) {
		return exporterhelper.NewTraces(ctx, set, config, write)
	}
	xray := exporter.NewFactory(component.MustNewType("awsxray"), func() component.Config { return &settings{} },
		exporter.WithTraces(traces, component.StabilityLevelDevelopment))
	receivers, e1 := otelcol.MakeFactoryMap(otlpreceiver.NewFactory())
	processors, e2 := otelcol.MakeFactoryMap(memorylimiterprocessor.NewFactory(), batchprocessor.NewFactory())
	exporters, e3 := otelcol.MakeFactoryMap(xray)
	extensions, e4 := otelcol.MakeFactoryMap(healthcheckextension.NewFactory())
	return otelcol.Factories{
		Receivers: receivers, Processors: processors, Exporters: exporters, Extensions: extensions, Telemetry: otelconftelemetry.NewFactory(),
	}, errors.Join(e1, e2, e3, e4)
}

func main() {
	resolver := confmap.ResolverSettings{ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()}}
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo:              component.BuildInfo{Command: "collector", Version: "0.165.0"},
		Factories:              factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: resolver},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
