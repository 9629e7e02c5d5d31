-- name: state
-- What these rows say, in the place of what was said of their entries before.
with said as (
    select *
    from jsonb_to_recordset(%(links)s::jsonb) as r (
        from_name text, "to" text, kind text, strength real, file text, line bigint
    )
),

gone as (
    delete from links as l
    where
        l.source = %(source)s and l.from_name = any(%(names)s::text [])
        and not exists (
            select 1
            from said as s
            where s.from_name = l.from_name and s."to" = l.to_name and s.kind = l.kind
        )
)

insert into links (source, from_name, to_name, kind, strength, import_id, file, line)
select %(source)s, from_name, "to", kind, strength, %(import_id)s, file, line
from said
order by from_name, "to", kind
on conflict (source, from_name, to_name, kind) do update
    set
        strength = excluded.strength, import_id = excluded.import_id, file = excluded.file,
        line = excluded.line;

-- name: some
select exists (select 1 from links where source = %(source)s) as found;

-- name: clear
delete from links
where source = %(source)s and from_name = any(%(names)s::text []);

-- name: switch
-- As `state`, for all rows of a stage. An entry whose row was not taken keeps what was said of it.
with said as (
    select distinct on (s.external_id, r."to", r.kind) s.external_id, r.*
    from import_staged as s
    cross join lateral jsonb_to_recordset(s.related) as r (
        "to" text, kind text, strength real, file text, line bigint
    )
    where s.import_id = %(id)s and s.external_id is not null
),

gone as (
    delete from links as l
    where
        l.source = %(source)s
        and not exists (
            select 1
            from said as s
            where s.external_id = l.from_name and s."to" = l.to_name and s.kind = l.kind
        )
        and not exists (
            select 1
            from import_staged as s
            where s.import_id = %(id)s and s.external_id = l.from_name and s.digest is null
        )
)

insert into links (source, from_name, to_name, kind, strength, import_id, file, line)
select %(source)s, external_id, "to", kind, strength, %(id)s, file, line
from said
order by external_id, "to", kind
on conflict (source, from_name, to_name, kind) do update
    set
        strength = excluded.strength, import_id = excluded.import_id, file = excluded.file,
        line = excluded.line;

-- name: dangling
-- What an import says of entries that are not here.
select l.file, l.line, l.source, l.to_name
from links as l
where
    l.import_id = %(id)s
    and not exists (
        select 1
        from entries as e
        where e.source = l.source and e.external_id = l.to_name
    )
order by l.file, l.line, l.to_name
limit %(limit)s;

-- name: arrows
-- Of these kinds, in the sources of which an import says any.
select source, kind, from_name, to_name
from links
where
    kind = any(%(kinds)s::text [])
    and source in (
        select source
        from links
        where import_id = %(id)s and kind = any(%(kinds)s::text [])
    );

-- name: forget
-- Taken back by hand: until a row says so again.
delete from links as l
using entries as near, entries as far
where
    near.id = %(from_id)s and far.id = %(to_id)s and l.kind = %(kind)s
    and l.source = near.source and l.from_name = near.external_id
    and far.source = l.source and far.external_id = l.to_name;
