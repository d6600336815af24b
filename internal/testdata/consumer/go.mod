module github.com/seed721439b2/umami-go/internal/testdata/consumer

go 1.26.0

require github.com/seed721439b2/umami-go v0.0.0

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/seed721439b2/umami-go => ../../..
