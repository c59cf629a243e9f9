// Reads the classic text format with the parser of Prometheus' own library, and compares the counts of requests with its arguments.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func main() {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(os.Stdin)
	if err != nil {
		panic(err)
	}
	var counted []string
	for _, metric := range families["birthday_http_request_duration_seconds"].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["route"] == "/hello/<username>" {
			counted = append(counted, fmt.Sprintf("%s %s=%d", labels["method"], labels["status"], metric.GetHistogram().GetSampleCount()))
		}
	}
	slices.Sort(counted)
	if !slices.Equal(counted, os.Args[1:]) {
		panic(fmt.Sprintf("%v, not %v", counted, os.Args[1:]))
	}
}
