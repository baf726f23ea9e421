package postgres

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// unusable is the answer where a person has to do something about the database.
func unusable(err error, format string, args ...any) error {
	return &port.Error{Code: port.CodeStoreUnusable, Detail: sentence(format, args...), Err: err}
}

// unavailable is the answer where the database is expected back by itself.
func unavailable(err error, after time.Duration, format string, args ...any) error {
	return &port.Error{Code: port.CodeUnavailable, RetryAfter: after, Detail: sentence(format, args...), Err: err}
}

// sentence begins with a capital letter, also where it begins with the database.
func sentence(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	return strings.ToUpper(text[:1]) + text[1:]
}

// isState reports whether the server answered with one of these SQLSTATEs.
func isState(err error, states ...string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(states, e.Code)
}

// explain turns an error of the connection or of the server into one that says the
// database, what is wrong and what helps. Errors of the port pass unchanged.
func (s *Store) explain(err error) error {
	if err == nil || port.CodeOf(err) != "" {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return s.explainState(e, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return unusable(err, "%s shows a certificate that cannot be trusted (%v). Set sslrootcert in its address to the authority's certificate.", s.name, err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return unavailable(err, time.Second, "%s cannot be reached (%v). Nothing was changed; try again when it is back.", s.name, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if lost(err) {
		return unavailable(err, time.Second, "The connection to %s was lost (%v). Whether a write was carried out is not known: read the object, or ask again with the same Idempotency-Key.", s.name, err)
	}
	return unusable(err, "%s cannot be used: %v.", s.name, err)
}

// lost reports whether an error is of the connection rather than of what was asked.
func lost(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err)
}

// explainState explains by the SQLSTATE, the documented name of what went wrong.
func (s *Store) explainState(e *pgconn.PgError, err error) error {
	switch e.Code {
	case "22021", "22P05": // character_not_in_repertoire, untranslatable_character
		return &port.Error{Code: port.CodeInvalidArgument, Err: err, Detail: "A text has a NUL character, or bytes that are not UTF-8, which a PostgreSQL database does not keep. Leave them out."}
	case "54000": // program_limit_exceeded
		return &port.Error{Code: port.CodeInvalidArgument, Err: err, Detail: sentence("A name is longer than %s can look up (%s). Choose a shorter one.", s.name, e.Message)}
	case "53100": // disk_full
		return &port.Error{Code: port.CodeStoreFull, Err: err, Detail: sentence("%s cannot grow: its disk is full (%s). Nothing was changed, and reads go on; free some space, then try again.", s.name, e.Message)}
	case "55P03": // lock_not_available
		return unavailable(err, time.Second, "Another writer has kept its turn in %s for longer than lock_timeout. Wait for it to end, then try again.", s.name)
	case "25006": // read_only_sql_transaction
		// After a failover the old primary may still be what the pool is connected to.
		s.pool.Reset()
		return unavailable(err, 5*time.Second, "%s takes no writes now: it is a standby, or default_transaction_read_only is on. Nothing was changed, and reads go on. If it stays so, name the primary in the address (several hosts with target_session_attrs=read-write), or switch writing on.", s.name)
	case "42P01", "42703": // undefined_table, undefined_column
		s.forget()
		return unavailable(err, time.Second, "The tables of %s were changed or taken away (%s). If it stays so, restore it from a backup.", s.name, e.Message)
	case "3D000": // invalid_catalog_name
		return unusable(err, "%s does not exist. Make it: CREATE DATABASE, or createdb.", s.name)
	case "3F000": // invalid_schema_name
		return unusable(err, "%s has no schema of the search_path. Make it: CREATE SCHEMA.", s.name)
	case "42501": // insufficient_privilege
		return unusable(err, "%s does not allow it (%s). The control plane's user must own its tables, and may make them: GRANT CREATE ON SCHEMA, or ALTER DATABASE OWNER TO.", s.name, e.Message)
	}
	switch class := e.Code[:min(len(e.Code), 2)]; class {
	case "28": // invalid authorization
		return unusable(err, "%s refuses the user or the password (%s). Look at the address, PGUSER, PGPASSWORD and PGPASSFILE, and at the server's pg_hba.conf.", s.name, e.Message)
	case "08", "53", "57", "40", "25": // connection, resources, intervention, rollback, transaction state
		return unavailable(err, time.Second, "%s cannot answer now (%s). Read the object before you try again.", s.name, e.Message)
	}
	return unusable(err, "%s cannot be used: %s (SQLSTATE %s).", s.name, e.Message, e.Code)
}
