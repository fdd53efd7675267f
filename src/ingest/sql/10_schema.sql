-- What bemi_ingest knows about a destination, beside the changes themselves. @schema@ is the schema
-- of the table `changes`, quoted. All of it may run again and again.

CREATE SCHEMA IF NOT EXISTS bemi;

-- One row per slot: how far its records are stored. It moves in the transaction that stores them,
-- and only from the position that the writer believes it to be at.
CREATE TABLE IF NOT EXISTS bemi.progress (
    slot              text PRIMARY KEY,
    system_identifier numeric(20) NOT NULL,
    timeline          bigint NOT NULL,
    -- how often a timeline was left whose changes had been stored already; part of change_id()
    fork              integer NOT NULL DEFAULT 0,
    database          text NOT NULL,
    changes           text NOT NULL,
    start_position    pg_lsn NOT NULL,
    started_at        timestamptz NOT NULL DEFAULT now(),
    position          pg_lsn NOT NULL,
    -- the end of the last transaction that had rows; what follows it up to position had none
    stored_position   pg_lsn NOT NULL,
    committed_at      timestamptz,
    transaction_id    bigint,
    rows              bigint NOT NULL DEFAULT 0,
    -- rows a second, averaged over about a minute up to updated_at
    rate              double precision NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);

-- The progress of slots that `drop` has removed: where one is made again, what it missed is a gap.
CREATE TABLE IF NOT EXISTS bemi.dropped (LIKE bemi.progress INCLUDING DEFAULTS, PRIMARY KEY (slot));

-- Stretches of the source's history that `changes` does not have, or that it has and the source
-- has not, accepted by somebody.
CREATE TABLE IF NOT EXISTS bemi.gaps (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot              text NOT NULL,
    system_identifier numeric(20) NOT NULL,
    database          text NOT NULL,
    reason            text NOT NULL CHECK (reason IN ('ahead', 'lost', 'timeline', 'behind', 'system')),
    from_position     pg_lsn NOT NULL,
    to_position       pg_lsn NOT NULL,
    from_time         timestamptz,
    to_time           timestamptz,
    explanation       text NOT NULL,
    accepted_at       timestamptz NOT NULL DEFAULT now()
);

-- Tables whose present rows were stored, and as of which position.
CREATE TABLE IF NOT EXISTS bemi.snapshots (
    system_identifier numeric(20) NOT NULL,
    database          text NOT NULL,
    schema            text NOT NULL,
    "table"           text NOT NULL,
    partition         text NOT NULL DEFAULT '',
    position          pg_lsn NOT NULL,
    taken_at          timestamptz NOT NULL,
    rows              bigint NOT NULL,
    PRIMARY KEY (system_identifier, database, schema, "table", partition, position)
);

-- How the table `changes` of a schema is kept.
CREATE TABLE IF NOT EXISTS bemi.target (
    schema       text PRIMARY KEY,
    partition_by text CHECK (partition_by IN ('day', 'month')),
    retain       interval,
    -- before this moment only SNAPSHOT rows tell of the past
    horizon      timestamptz
);
