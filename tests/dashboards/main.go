// Command dashboards reads the dashboards that are named by Grafana's own types, of its foundation
// SDK: every field has to be known to Grafana, of the right type, and there where it is required.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards FILE...")
		os.Exit(64)
	}
	plugins.RegisterDefaultPlugins()
	wrong := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			wrong = true
		} else {
			fmt.Printf("%s: as Grafana has it\n", path)
		}
	}
	if wrong {
		os.Exit(1)
	}
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err = withoutExtensions(text)
	if err != nil {
		return err
	}
	// What is read strictly is not kept whole by this version of the SDK, and an error without a
	// content is none.
	var strict, read dashboard.Dashboard
	var wrong cog.BuildErrors
	err = strict.UnmarshalJSONStrict(text)
	if err != nil && !(errors.As(err, &wrong) && len(wrong) == 0) {
		return err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	return read.Validate()
}

// withoutExtensions takes out what Prometheus adds to an annotation, as any data source may: the
// types leave that out.
func withoutExtensions(text []byte) ([]byte, error) {
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	annotations, _ := all["annotations"].(map[string]any)
	list, ok := annotations["list"].([]any)
	if !ok {
		return nil, errors.New("no annotations")
	}
	for _, item := range list {
		if annotation, ok := item.(map[string]any); ok {
			delete(annotation, "titleFormat")
			delete(annotation, "textFormat")
		}
	}
	return json.Marshal(all)
}
