package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// server is the one that a script has running.
type server struct {
	cmd  *exec.Cmd
	base string
	log  bytes.Buffer
}

type serverKey struct{}

func serverOf(ts *testscript.TestScript) *server {
	s, ok := ts.Value(serverKey{}).(*server)
	if !ok || s.cmd == nil {
		ts.Fatalf("no server runs")
	}
	return s
}

// startServer ARGUMENT... runs mlopsctl serve on a free port until the script
// ends or `signal` has ended it.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	s, _ := ts.Value(serverKey{}).(*server)
	*s = server{cmd: exec.Command("mlopsctl", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.cmd.Dir, s.cmd.Stderr = ts.MkAbs("."), &s.log
	if address := ts.Getenv("MLOPS_DATABASE_URL"); address != "" {
		s.cmd.Env = append(os.Environ(), "MLOPS_DATABASE_URL="+address)
	}
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	process := s.cmd.Process
	ts.Defer(func() { _ = process.Kill() }) // it may have ended already
	line, err := bufio.NewReader(out).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		_ = s.cmd.Wait()
		ts.Fatalf("the server says %q, %v\n%s", line, err, s.log.String())
	}
	s.base = base
}

// sendSignal HUP|TERM|KILL goes to the server. After the last two it has ended, well
// unless it was killed, and the file `log` has what it wrote.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	s := serverOf(ts)
	name := strings.Join(args, " ")
	ts.Check(s.cmd.Process.Signal(map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "KILL": os.Kill}[name]))
	if name == "HUP" {
		return
	}
	if err := s.cmd.Wait(); (err != nil) != (name == "KILL") {
		ts.Fatalf("the server ended with %v\n%s", err, s.log.String())
	}
	s.cmd = nil
	ts.Check(os.WriteFile(ts.MkAbs("log"), s.log.Bytes(), 0o600))
}

// request STATUS METHOD PATH [TOKENFILE [BODYFILE]] asks the server, as a create
// where there is a body. The file `answer` has what it says.
func request(ts *testscript.TestScript, _ bool, args []string) {
	args = append(args, "", "")
	var body io.Reader
	if args[4] != "" {
		body = strings.NewReader(ts.ReadFile(args[4]))
	}
	asked, err := http.NewRequest(args[1], serverOf(ts).base+args[2], body) //nolint:noctx // a script's own server
	ts.Check(err)
	if args[3] != "" {
		asked.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[3])))
	}
	if body != nil {
		asked.Header.Set("If-None-Match", "*")
	}
	answer, err := http.DefaultClient.Do(asked)
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), data, 0o600))
	if !strings.HasPrefix(answer.Status, args[0]+" ") {
		ts.Fatalf("%s %s: %s, want %s\n%s", args[1], args[2], answer.Status, args[0], data)
	}
}
