-- A control plane's file of layout 2, with two objects and five writes.
PRAGMA application_id = 1835822960;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE events (
		seq        INTEGER PRIMARY KEY AUTOINCREMENT,
		at         INTEGER NOT NULL,
		action     TEXT    NOT NULL,
		kind       TEXT    NOT NULL,
		id         TEXT    NOT NULL,
		uid        TEXT    NOT NULL,
		generation INTEGER NOT NULL
	, actor      TEXT NOT NULL DEFAULT '', address    TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '', from_etag  TEXT NOT NULL DEFAULT '', to_etag    TEXT NOT NULL DEFAULT '', code       TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "events" VALUES(1,1795480058095,'created','registered_model','fraud','4df54d43-0f94-4993-8a5e-90371f763e78',1,'','','','','','');
INSERT INTO "events" VALUES(2,1795480058305,'updated','registered_model','fraud','4df54d43-0f94-4993-8a5e-90371f763e78',2,'','','','','','');
INSERT INTO "events" VALUES(3,1795480058318,'created','registered_model','old','30d475c6-d431-42ec-900f-cddc53d67c56',1,'','','','','','');
INSERT INTO "events" VALUES(4,1795480058328,'created','baseline','fraud/score','370b7ea4-424f-416f-bc50-3d8f9ec32859',1,'','','','','','');
INSERT INTO "events" VALUES(5,1795480058340,'deleted','registered_model','old','30d475c6-d431-42ec-900f-cddc53d67c56',1,'','','','','','');
CREATE TABLE idempotency (
		key        TEXT    NOT NULL PRIMARY KEY,
		request    TEXT    NOT NULL, -- digest of the request that the key stands for
		answer     TEXT    NOT NULL, -- the object as it was answered, JSON
		expires_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
		key   TEXT NOT NULL PRIMARY KEY,
		value TEXT NOT NULL
	) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('store_id','d71ff7a3-81d5-43e1-848f-08a9fa0e2f2d');
CREATE TABLE moves (
		seq          INTEGER PRIMARY KEY AUTOINCREMENT,
		at           INTEGER NOT NULL,
		alias        TEXT    NOT NULL,
		who          TEXT    NOT NULL,
		from_version INTEGER NOT NULL, -- 0 where there was none
		to_version   INTEGER NOT NULL,
		reason       TEXT    NOT NULL
	) STRICT;
CREATE TABLE numbers (
		kind  TEXT    NOT NULL,
		model TEXT    NOT NULL,
		last  INTEGER NOT NULL,
		PRIMARY KEY (kind, model)
	) STRICT, WITHOUT ROWID;
CREATE TABLE objects (
		kind       TEXT    NOT NULL,
		id         TEXT    NOT NULL,
		model      TEXT    NOT NULL,
		uid        TEXT    NOT NULL,
		generation INTEGER NOT NULL,
		created_at INTEGER NOT NULL, -- milliseconds since 1970, UTC
		updated_at INTEGER NOT NULL,
		attributes TEXT    NOT NULL, target TEXT NOT NULL DEFAULT '', -- JSON, byte for byte as it was written
		PRIMARY KEY (kind, id)
	) STRICT;
INSERT INTO "objects" VALUES('registered_model','fraud','','4df54d43-0f94-4993-8a5e-90371f763e78',2,1795480058095,1795480058305,'{"name":"fraud","owner":"risk-ml","risk":"medium","tags":{"team":"risk"},"deletion_policy":"prevent"}','');
INSERT INTO "objects" VALUES('baseline','fraud/score','fraud','370b7ea4-424f-416f-bc50-3d8f9ec32859',1,1795480058328,1795480058328,'{"model":"fraud","name":"score","bins":[{"upper":0.1,"count":80},{"upper":0.25,"count":1.0e2},{"count":20}]}','');
CREATE TABLE secrets (
		kind    TEXT NOT NULL,
		id      TEXT NOT NULL,
		name    TEXT NOT NULL, -- of the attribute
		version TEXT NOT NULL,
		value   TEXT NOT NULL,
		PRIMARY KEY (kind, id, name)
	) STRICT, WITHOUT ROWID;
CREATE TABLE unacknowledged (
		kind  TEXT    NOT NULL,
		id    TEXT    NOT NULL,
		model TEXT    NOT NULL,
		key   TEXT    NOT NULL, -- the idempotency key it was added with
		at    INTEGER NOT NULL,
		PRIMARY KEY (kind, id)
	) STRICT, WITHOUT ROWID;
CREATE INDEX objects_of_model ON objects (model, kind, id) WHERE model <> '';
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
CREATE INDEX unacknowledged_of_model ON unacknowledged (kind, model, at);
CREATE INDEX unacknowledged_by_age ON unacknowledged (at);
CREATE INDEX objects_by_target ON objects (target) WHERE target <> '';
CREATE INDEX moves_of_alias ON moves (alias, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',5);
COMMIT;
