// Reads a gzip stream, to its end and checksum, as Go programs do.
package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

func main() {
	reader, err := gzip.NewReader(os.Stdin)
	if err == nil {
		_, err = io.Copy(os.Stdout, reader)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
