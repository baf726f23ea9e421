package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	module       = "github.com/mlops-as-code/terraform-provider-mlops"
	providerName = "terraform-provider-mlops"
)

// programs are built as releases are.
type programs struct {
	provider string // the folder of the provider
	noop     string // the folder of the provider that does nothing
	mlopsctl string
}

// build builds them; only what changed since the last time takes long.
func (h *harness) build() (programs, error) {
	folder, err := filepath.Abs(filepath.Join(h.data, "programs"))
	if err != nil {
		return programs{}, err
	}
	out := programs{provider: folder, noop: filepath.Join(folder, "noop"), mlopsctl: filepath.Join(folder, "mlopsctl")}
	return out, errors.Join(
		goBuild(folder+string(filepath.Separator), module, module+"/tools/mlopsctl"),
		goBuild(filepath.Join(out.noop, providerName), module+"/internal/bench/noopprovider"))
}

func goBuild(to string, packages ...string) error {
	// As in GNUmakefile.
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + release, "-o", to}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// spent is what a run of Terraform took.
type spent struct {
	cpu  time.Duration // of Terraform and its provider, user and system
	wall time.Duration
	// peak is the most memory that the provider had, in bytes; 0 where the system does
	// not say.
	peak int64
}

// planner plans one folder with one provider.
type planner struct {
	terraform   string
	folder      string
	environment []string
}

// newPlanner plans a folder with the provider of another one, or with none but
// Terraform's own.
func (h *harness) newPlanner(folder, provider string, environment ...string) (planner, error) {
	cli := filepath.Join(folder, "cli.tfrc")
	installation := "provider_installation {\n  direct {}\n}\n"
	if provider != "" {
		installation = fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"mlops-as-code/mlops\" = %q\n  }\n  direct {}\n}\n", provider)
	}
	environment = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "TF_") || strings.HasPrefix(entry, "MLOPS_") || strings.HasPrefix(entry, "GO")
	}), append(environment, "TF_CLI_CONFIG_FILE="+cli, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")...)
	return planner{h.tools.terraform, folder, environment}, os.WriteFile(cli, []byte(installation), 0o600)
}

// plan plans once. A plan that changes anything is an error: there is nothing to
// measure then.
func (p planner) plan() (spent, error) {
	cmd := exec.Command(p.terraform, "plan", "-detailed-exitcode", "-input=false", "-no-color", "-lock=false")
	cmd.Dir, cmd.Env = p.folder, p.environment
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return spent{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- peakOfProvider(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	out := spent{wall: time.Since(begin)}
	close(ended)
	out.peak = <-peak
	if err != nil || !strings.Contains(output.String(), "No changes.") {
		return out, fmt.Errorf("terraform plan of %s: %w; its output ends with:\n%s", filepath.Base(p.folder), err, ending(output.String(), 3_000))
	}
	// Of the process and of those that it waited for.
	out.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return out, nil
}

func ending(text string, length int) string { return text[max(0, len(text)-length):] }

// peakOfProvider looks, until Terraform has ended, at how much memory its provider ever
// had. That only grows, so that the last look misses what little comes after it.
func peakOfProvider(terraform int, ended <-chan struct{}) (peak int64) {
	for {
		for _, child := range childrenOf(terraform) {
			if ofProgram, name := peakOf(child); name == providerName {
				peak = max(peak, ofProgram)
			}
		}
		select {
		case <-ended:
			return peak
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// childrenOf lists the processes that a process started, where the system says so.
func childrenOf(process int) (children []int) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", process))
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		list, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		for _, field := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// peakOf is the most memory that a process had since it runs a program, resident, in
// bytes, and the program's name. A process that has just been made has its parent's
// program and memory.
func peakOf(process int) (peak int64, program string) {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", process))
	if err != nil {
		return 0, ""
	}
	return memoryOf(process, "VmHWM"), filepath.Base(path)
}

// memoryOf reads an amount of memory from what Linux says of a process.
func memoryOf(process int, field string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return 1024 * kilobytes
		}
	}
	return 0
}
