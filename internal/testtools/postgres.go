package testtools

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresStartTimeout is how long a server may take to answer: about a second on two
// idle cores, recovery after a crash included.
const postgresStartTimeout = 60 * time.Second

// postgresLauncher runs a server that ends with this test: when the test process ends,
// however it does, its end of standard input closes. The server then ends at once, as
// in a crash, and what the first argument names is removed.
const postgresLauncher = `remove=$1
shift
"$@" &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
[ -z "$remove" ] || rm -rf "$remove"`

// PostgresServer is a real PostgreSQL server on a loopback port. Its user must give a
// password, and its databases order texts by a language's rules.
type PostgresServer struct {
	binaries, dir, password string
	port                    string
	shared                  bool

	databases int
	mu        sync.Mutex
	stop      func()
}

var sharedPostgres struct {
	once   sync.Once
	server *PostgresServer
	err    error
}

// Postgres is a PostgreSQL server that the tests of a package share; it ends with
// them. Without PostgreSQL the test is skipped or fails by the rules of [Require].
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	path := Require(t, PostgresServerPath)
	sharedPostgres.once.Do(func() {
		sharedPostgres.server, sharedPostgres.err = newPostgres(path, true)
	})
	if sharedPostgres.err != nil {
		t.Fatal(sharedPostgres.err)
	}
	return sharedPostgres.server
}

// StartPostgres starts a PostgreSQL server of the test's own, which it may stop and
// start again, and which waits for its disk. It ends with the test's cleanup.
func StartPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	server, err := newPostgres(Require(t, PostgresServerPath), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		_ = os.RemoveAll(server.dir)
	})
	return server
}

func newPostgres(path string, shared bool) (_ *PostgresServer, err error) {
	// A link on PATH may stand alone: what belongs to the server is beside the file.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	p := &PostgresServer{binaries: filepath.Dir(path), password: rand.Text(), shared: shared}
	if p.dir, err = os.MkdirTemp("", "postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(p.dir)
		}
	}()
	secret := filepath.Join(p.dir, "password")
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return nil, err
	}
	if err := giveAway(p.dir, secret); err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
	}
	initdb := exec.Command(filepath.Join(p.binaries, "initdb"), "--no-sync", "--no-instructions", "--username=mlops",
		"--auth=scram-sha-256", "--pwfile="+secret, "--encoding=UTF8", "--locale=C", "--pgdata="+p.data())
	initdb.Dir = p.dir
	initdb.SysProcAttr = unprivileged()
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", initdb, err, tail(output, 20))
	}
	// The port is free when it is chosen, and may be taken by the time the server
	// binds it: another one then, at most twice.
	for attempt := 1; ; attempt++ {
		if p.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = p.start(); err == nil {
			return p, nil
		}
		if attempt == 3 {
			return nil, err
		}
	}
}

func (p *PostgresServer) data() string { return filepath.Join(p.dir, "data") }

// Start starts a server that was stopped, on the port that it had.
func (p *PostgresServer) Start(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server at once, as in a crash: what it has not written to its disk is
// lost.
func (p *PostgresServer) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

func (p *PostgresServer) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	logPath := filepath.Join(p.dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	remove, flags := "", []string{}
	if p.shared { // nothing stops it but the end of the tests: its disk need not be waited for
		remove, flags = p.dir, []string{"-c", "fsync=off"}
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", postgresLauncher, "sh", remove, filepath.Join(p.binaries, "postgres"), "-D", p.data(),
		"-c", "listen_addresses=127.0.0.1", "-c", "port=" + p.port, "-c", "unix_socket_directories=", "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap"}, flags...)...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = unprivileged()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended, its log tells better
	}()
	p.stop = func() {
		_ = stdin.Close()
		<-exited
	}
	if err := p.answers(); err != nil {
		p.stop()
		p.stop = nil
		output, _ := os.ReadFile(logPath)
		return fmt.Errorf("PostgreSQL does not answer: %w; its log ends with:\n%s", err, tail(output, 20))
	}
	return nil
}

// answers waits until the server does.
func (p *PostgresServer) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), postgresStartTimeout)
	defer cancel()
	for {
		err := p.exec(ctx, `SELECT 1`)
		if err == nil {
			return nil
		}
		// Its own process says first why it ended, and a port that is another server's
		// answers otherwise.
		if _, gone := os.Stat(filepath.Join(p.data(), "postmaster.pid")); gone != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second): // it has not begun, or it has ended
			}
			if _, gone := os.Stat(filepath.Join(p.data(), "postmaster.pid")); gone != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *PostgresServer) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Program is the path of a program of the server's own release, such as pg_dump, by the
// rules of [Require].
func (p *PostgresServer) Program(t testing.TB, name string) string {
	t.Helper()
	return OnPath(t, filepath.Join(p.binaries, name))
}

// URL is the address of a database, with the password.
func (p *PostgresServer) URL(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword("mlops", p.password), Host: net.JoinHostPort("127.0.0.1", p.port),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}).String()
}

// Database makes an empty database for one test, and returns its address. It goes with
// the test's cleanup. More of CREATE DATABASE may be given.
func (p *PostgresServer) Database(t testing.TB, options ...string) string {
	t.Helper()
	p.mu.Lock()
	p.databases++
	name := fmt.Sprint("test", p.databases)
	p.mu.Unlock()
	create := `CREATE DATABASE ` + name + ` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'`
	for _, option := range options {
		create += " " + option
	}
	if err := p.exec(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), postgresStartTimeout)
		defer cancel()
		if err := p.exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil && p.running() {
			t.Errorf("removing the test's database: %v", err)
		}
	})
	return p.URL(name)
}

func (p *PostgresServer) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop != nil
}
