// Pins the Prometheus Operator whose definitions the conformance tests use; see build and README.md.
module kubetally/tests/prometheus-operator

go 1.25.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
