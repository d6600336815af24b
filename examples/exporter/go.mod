module github.com/seed721439b2/umami-go/examples/exporter

go 1.26.0

require (
	github.com/prometheus/client_golang v1.25.0
	github.com/seed721439b2/umami-go v0.0.0
	github.com/stretchr/testify v1.12.1
)

replace github.com/seed721439b2/umami-go => ../..
