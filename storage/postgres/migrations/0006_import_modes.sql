-- What an import does with rows that are here, and a source replaced as a whole.

alter table imports
add column mode text not null default 'upsert' check (mode in ('upsert', 'create', 'replace')),
add column archived integer not null default 0; -- entries that a replace found no row of

-- What a replace will do, until its switch: the rows as the file has them.
create table import_staged (
    import_id uuid not null references imports on delete cascade,
    chunk integer not null,
    place integer not null,                  -- within its chunk: of equal rows the last one counts
    external_id text,
    digest uuid,                             -- null: a row that was not taken, of an entry that stays
    text_digest uuid,
    id uuid,                                 -- null, and so what follows: it is here as it should be
    title text,
    problem text,
    solution text,
    category text,
    severity text,
    tags text[],
    custom jsonb,
    primary key (import_id, chunk, place)
);

-- Whether the entry was archived in that state; null: it was not noted then.
alter table entry_versions add column archived boolean;
