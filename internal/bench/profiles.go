package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
)

var profiles = part{
	name: "profiles", title: "Profiling data files",
	note: "From the file to the profile of one numeric column: read the column, count missing values, place 10 quantile edges, count, with extremes, mean, standard deviation and the file's SHA-256. " +
		"pandas does the same for the goal; the second line of a format is pandas without missing values, description and digest, against all of ours. " +
		"Ours takes both processors, and so does pandas' reader of Parquet. On a processor without instructions for it, SHA-256 takes most of ours: no file is profiled in less time than its digest takes. Ours keeps 8 bytes a value, at most 2 GiB a file.",
	run: runProfiles,
}

func runProfiles(h *harness) error {
	n := h.size(10_000_000)
	values, _, err := h.normals(n, 3)
	if err != nil {
		return err
	}
	csv, err := filepath.Abs(filepath.Join(h.data, fmt.Sprintf("score-%d.csv", n)))
	if err != nil {
		return err
	}
	if _, err := os.Stat(csv); err != nil {
		text := make([]byte, 0, 20*n)
		text = append(text, "score\n"...)
		for _, v := range values {
			text = append(strconv.AppendFloat(text, v, 'f', -1, 64), '\n')
		}
		if err := os.WriteFile(csv, text, 0o600); err != nil {
			return err
		}
	}
	files := []string{csv}
	if h.peers != nil { // which writes the Parquet file
		parquet := csv[:len(csv)-len("csv")] + "parquet"
		if _, err := h.peers.ask("to_parquet", map[string]any{"csv": csv, "parquet": parquet}); err != nil {
			return err
		}
		files = append(files, parquet)
	}
	var all error
	for _, file := range files {
		for _, whole := range []bool{true, false} {
			c := comparison{
				what: fmt.Sprintf("%d rows, %s", n, filepath.Ext(file)[1:]), peer: "profile", label: "pandas, the same", atLeast: 3, agree: 1e-12,
				inputs: map[string]any{"file": file, "whole": whole},
				ours:   func() (float64, error) { return profileOf(file) },
			}
			if !whole {
				c.label, c.atLeast = "pandas, edges and counts", 0
			}
			all = errors.Join(all, h.compare(c))
		}
	}
	return all
}

// profileOf profiles a file, and gives the first inner edge.
func profileOf(file string) (float64, error) {
	table, err := profile.Read(file, "", profile.MethodQuantile, "score")
	if err != nil {
		return 0, err
	}
	r, err := table.Profile("score", profile.Binning{Method: profile.MethodQuantile, Bins: 10})
	if err != nil {
		return 0, err
	}
	return r.Edges[0], nil
}
