-- Entries, their history, the change feed, imports, effects and keys.

create table categories (
    key text primary key,                    -- the name, case folded
    name text not null,
    parent text references categories (key),
    created_at timestamptz not null default now()
);

create table entries (
    id uuid primary key,
    source text not null default '',         -- '' = made by hand
    external_id text,                        -- unique within its source
    title text not null,
    problem text not null,
    solution text not null,
    category text not null,
    severity text not null,
    tags text[] not null,
    custom jsonb not null,
    digest uuid not null,                    -- of every field: has a row changed?
    text_digest uuid not null,               -- of title, problem, solution: is it the same text?
    version integer not null default 1,
    archived_at timestamptz,
    created_at timestamptz not null default now(),
    created_by text not null,
    updated_at timestamptz not null default now(),
    updated_by text not null,
    unique (source, external_id)
);
-- Two hand-made entries never hold the same text, whoever stores them at the same moment.
create unique index entries_own_text on entries (text_digest) where external_id is null;
create index entries_text on entries (text_digest) where external_id is not null;
create index entries_category on entries (category, id);

-- States before the current one, which is in entries.
create table entry_versions (
    entry_id uuid not null references entries (id) on delete cascade,
    version integer not null,
    title text not null,
    problem text not null,
    solution text not null,
    category text not null,
    severity text not null,
    tags text[] not null,
    custom jsonb not null,
    updated_at timestamptz not null,
    updated_by text not null,
    primary key (entry_id, version)
);

create table relations (
    from_id uuid not null references entries (id) on delete cascade,
    to_id uuid not null references entries (id) on delete cascade,
    kind text not null,
    strength real not null,
    primary key (from_id, to_id, kind)
);
create index relations_to on relations (to_id);

-- The change feed. Readers take txid < pg_snapshot_xmin(...) in (txid, seq) order, so that a
-- slower transaction that commits later is never passed over.
create table changes (
    seq bigint generated always as identity,
    txid xid8 not null default pg_current_xact_id(),
    entry_id uuid not null,
    op text not null check (op in ('put', 'delete')),
    at timestamptz not null default now(),
    primary key (txid, seq)
);
create index changes_entry on changes (entry_id);

-- Counts restores: with the cluster's identifier and timeline it names a history of the data.
create table epoch (
    restores integer not null default 0
);
insert into epoch default values;

-- Keys of writes, and what the first arrival answered.
create table effects (
    key text primary key,
    operation text not null,
    digest uuid not null,
    reply jsonb,
    at timestamptz not null default now()
);
create index effects_at on effects (at);

create table imports (
    id uuid primary key,
    source text not null,
    files text[] not null,
    chunks integer,                          -- null while it is open
    started_at timestamptz not null default now(),
    started_by text not null,
    finished_at timestamptz
);

create table import_chunks (
    import_id uuid not null references imports (id) on delete cascade,
    chunk integer not null,
    digest text not null,
    received integer not null,
    created integer not null,
    updated integer not null,
    unchanged integer not null,
    rejected integer not null,
    txid xid8,
    seq bigint,
    primary key (import_id, chunk)
);

create table import_rejects (
    import_id uuid not null references imports (id) on delete cascade,
    chunk integer not null,
    place integer not null,                  -- within its chunk
    file text not null,
    line bigint not null,
    field text not null,
    code text not null,
    message text not null,
    content text not null,
    primary key (import_id, chunk, place)
);

create table api_keys (
    digest text primary key,                 -- SHA-256 of the key, hexadecimal
    name text not null,
    created_at timestamptz not null default now()
);
