// Pins the types of Grafana that the dashboards are read by; see main.go.
module kubetally/tests/dashboards

go 1.24.5

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
