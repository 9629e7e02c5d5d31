-- name: start
insert into imports (id, source, files, started_by, mode, duplicates)
values (%(id)s, %(source)s, %(files)s, %(by)s, %(mode)s, %(duplicates)s);

-- name: lock_open
select
    i.source, i.mode, i.duplicates, i.finished_at is not null as finished,
    coalesce(t.status = 'canceled', false) as canceled, i.undone_by
from imports as i
left join tasks as t on t.id = i.id
where i.id = %(id)s
for share of i;

-- name: chunk
select digest, received, created, updated, unchanged, rejected, txid::text, seq
from import_chunks
where import_id = %(import_id)s and chunk = %(chunk)s;

-- name: claim_chunk
insert into import_chunks (
    import_id, chunk, digest, received, created, updated, unchanged, rejected
)
values (%(import_id)s, %(chunk)s, %(digest)s, 0, 0, 0, 0, 0)
on conflict do nothing
returning chunk;

-- name: count_chunk
update import_chunks
set
    received = %(received)s, created = %(created)s, updated = %(updated)s,
    unchanged = %(unchanged)s, rejected = %(rejected)s, archived = %(archived)s, txid = %(txid)s::text::xid8, seq = %(seq)s
where import_id = %(import_id)s and chunk = %(chunk)s;

-- name: known
-- Which of these rows are here already, and as what. An array is looked up in the index whatever
-- the statistics say; a join with a record set may become a scan while a first import runs.
-- An entry without a name of its own is known by its id, as an export calls it.
select external_id, digest, id, archived_at is not null as archived, withdrawn
from entries
where source = %(source)s and external_id = any(%(external_ids)s::text [])
union all
select e.id::text, e.digest, e.id, e.archived_at is not null, e.withdrawn
from entries as e
where
    e.id = any(%(ids)s::uuid []) and e.source = %(source)s and e.external_id is null
    and not exists (
        select 1
        from entries as other
        where other.source = e.source and other.external_id = e.id::text
    );

-- name: adopt
-- Entries that rows call by their ids take these for names: an export comes back to where it was made.
update entries as e
set external_id = e.id::text
where
    e.id = any(%(ids)s::uuid []) and e.source = %(source)s and e.external_id is null
    and not exists (
        select 1
        from entries as other
        where other.source = e.source and other.external_id = e.id::text
    );

-- name: known_texts
-- In two parts: each has an index of its own, and neither serves a statement for both.
select text_digest, archived_at is not null as archived, withdrawn
from entries
where text_digest = any(%(text_digests)s::uuid []) and external_id is null
union all
select text_digest, archived_at is not null as archived, false
from entries
where
    text_digest = any(%(text_digests)s::uuid []) and external_id is not null and not withdrawn;

-- name: known_own_texts
select text_digest, archived_at is not null as archived, withdrawn
from entries
where text_digest = any(%(text_digests)s::uuid []) and external_id is null;

-- name: holders
-- In two parts: each has an index of its own.
select text_digest, id, source, external_id
from entries
where text_digest = any(%(text_digests)s::uuid []) and external_id is null and not withdrawn
union all
select text_digest, id, source, external_id
from entries
where
    text_digest = any(%(text_digests)s::uuid []) and external_id is not null and not withdrawn
order by id;

-- name: lock_texts
-- Chunks that compare texts are stored one after another: two at once would not see each other's.
select pg_advisory_xact_lock(hashtext('casebook texts'));

-- name: keep_versions
-- The states that the upsert below is about to replace; locked in the order it uses.
insert into entry_versions (
    entry_id, version, title, problem, solution, category, severity, tags, custom,
    updated_at, updated_by, archived, withdrawn
)
select
    old.id, old.version, old.title, old.problem, old.solution, old.category, old.severity,
    old.tags, old.custom, old.updated_at, old.updated_by, old.archived_at is not null,
    old.withdrawn
from (
    select *
    from entries
    where source = %(source)s and external_id = any(%(external_ids)s::text [])
    order by external_id
    for update
) as old
-- Another import may have kept this state between our look and our lock.
on conflict do nothing;

-- name: keep_withdrawn
-- The same of entries without a name that rows with their text are about to bring back.
insert into entry_versions (
    entry_id, version, title, problem, solution, category, severity, tags, custom,
    updated_at, updated_by, archived, withdrawn
)
select
    old.id, old.version, old.title, old.problem, old.solution, old.category, old.severity,
    old.tags, old.custom, old.updated_at, old.updated_by, old.archived_at is not null,
    old.withdrawn
from (
    select *
    from entries
    where
        text_digest = any(%(text_digests)s::uuid []) and external_id is null and withdrawn
    order by text_digest
    for update
) as old
on conflict do nothing;

-- name: copy_new
-- In half the time that inserting takes where an entry may be here. What another import stores at
-- this moment is a unique violation.
copy entries (
    id, source, external_id, title, problem, solution, category, severity, tags, custom,
    digest, text_digest, created_by, updated_by
)
from stdin (format binary);

-- name: feed_new
with fed as (
    insert into changes (entry_id, op, version)
    select id, 'put', 1
    from unnest(%(ids)s::text::uuid []) as new (id)
    returning txid, seq
)

select count(*) as created, 0 as updated, max(txid)::text as txid, max(seq) as seq
from fed;

-- name: upsert
with input as (
    select *
    from jsonb_to_recordset(%(rows)s::jsonb) as r (
        id uuid, external_id text, title text, problem text, solution text, category text,
        severity text, tags text [], custom jsonb, digest uuid, text_digest uuid
    )
),

stored as (
    insert into entries (
        id, source, external_id, title, problem, solution, category, severity, tags, custom,
        digest, text_digest, created_by, updated_by
    )
    select
        id, %(source)s, external_id, title, problem, solution, category, severity, tags, custom,
        digest, text_digest, %(by)s, %(by)s
    from input
    order by external_id
    on conflict (source, external_id) do update
        set
            title = excluded.title, problem = excluded.problem, solution = excluded.solution,
            category = excluded.category, severity = excluded.severity, tags = excluded.tags,
            custom = excluded.custom, digest = excluded.digest,
            text_digest = excluded.text_digest, version = entries.version + 1,
            updated_at = now(), updated_by = excluded.updated_by,
            archived_at = case when not entries.withdrawn then entries.archived_at end,
            withdrawn = false
        where entries.digest <> excluded.digest or entries.withdrawn
    returning id, version, xmax = 0 as created
),

fed as (
    insert into changes (entry_id, op, version)
    select id, 'put', version from stored
    returning txid, seq
)

select
    (select count(*) from stored where created) as created,
    (select count(*) from stored where not created) as updated,
    (select max(txid)::text from fed) as txid,
    (select max(seq) from fed) as seq;

-- name: insert_new
-- Rows without an id of their own; a text that someone stores at this moment is passed over, one
-- that was taken away is brought back, under the source that has it now.
with input as (
    select *
    from jsonb_to_recordset(%(rows)s::jsonb) as r (
        id uuid, title text, problem text, solution text, category text,
        severity text, tags text [], custom jsonb, digest uuid, text_digest uuid
    )
),

stored as (
    insert into entries (
        id, source, title, problem, solution, category, severity, tags, custom,
        digest, text_digest, created_by, updated_by
    )
    select
        id, %(source)s, title, problem, solution, category, severity, tags, custom,
        digest, text_digest, %(by)s, %(by)s
    from input
    order by text_digest
    on conflict (text_digest) where external_id is null do update
        set
            source = excluded.source, title = excluded.title, problem = excluded.problem,
            solution = excluded.solution, category = excluded.category,
            severity = excluded.severity, tags = excluded.tags, custom = excluded.custom,
            digest = excluded.digest, version = entries.version + 1, updated_at = now(),
            updated_by = excluded.updated_by, archived_at = null, withdrawn = false
        where entries.withdrawn
    returning id, version, xmax = 0 as created
),

fed as (
    insert into changes (entry_id, op, version)
    select id, 'put', version from stored
    returning txid, seq
)

select
    (select count(*) from stored where created) as created,
    (select count(*) from stored where not created) as updated,
    (select max(txid)::text from fed) as txid,
    (select max(seq) from fed) as seq;

-- name: reject
insert into import_rejects (import_id, chunk, place, file, line, field, code, message, content)
select %(import_id)s, %(chunk)s, r.place, r.file, r.line, r.field, r.code, r.message, r.row
from jsonb_to_recordset(%(rejects)s::jsonb) as r (
    place integer, file text, line bigint, field text, code text, message text, row text
);

-- name: chunk_rejects
select file, line, field, code, message
from import_rejects
where import_id = %(import_id)s and chunk = %(chunk)s
order by place;

-- name: count_done
-- Of the chunks that a source is said to have, and of those that it would not have.
select
    count(*) filter (where chunk < %(chunks)s) as chunks,
    count(*) filter (where chunk >= %(chunks)s) as beyond,
    coalesce(sum(archived), 0)::integer as archived
from import_chunks
where import_id = %(id)s and chunk >= 0;

-- name: undone_by
select undone_by
from imports
where id = %(id)s and undone_by is not null;

-- name: mode
select mode, finished_at is not null as finished
from imports
where id = %(id)s;

-- name: lock_to_finish
-- Waits for chunks that are being stored.
select
    source, started_by, finished_at is not null as finished, undone_by,
    mode = 'replace' and finished_at is null as switches
from imports
where id = %(id)s
for update;

-- name: live
-- How many entries of a source are not archived, and how many of them these rows are about.
select
    count(*) as live,
    count(*) filter (
        where coalesce(external_id, id::text) = any(%(external_ids)s::text [])
        or (text_digest = any(%(text_digests)s::uuid []))
    ) as named
from entries
where source = %(source)s and archived_at is null;

-- name: finish
update imports
set chunks = %(chunks)s, notes = %(notes)s, finished_at = now()
where id = %(id)s and finished_at is null;

-- name: report
select
    i.id, i.source, i.mode, i.duplicates, i.archived, i.started_at, i.finished_at, i.notes, i.undone_by,
    (
        select t.details -> 'stopped'
        from tasks as t
        where t.id = i.id and t.status = 'failed' and i.finished_at is null
    ) as error,
    case
        when i.undone_by is not null then 'undone'
        when i.finished_at is null then 'open'
        else 'finished'
    end as status,
    i.files, i.started_by, c.*,
    (
        select greatest(cardinality(i.files), max((t.details ->> 'file_count')::integer))
        from tasks as t
        where t.id = i.id
    ) as file_count
from (
    select *
    from imports
    where {where}
    order by id desc
    limit %(limit)s
) as i
cross join lateral (
    select
        count(*) filter (where chunk >= 0) as chunks,
        coalesce(sum(received), 0)::integer as received,
        coalesce(sum(created), 0)::integer as created,
        coalesce(sum(updated), 0)::integer as updated,
        coalesce(sum(unchanged), 0)::integer as unchanged,
        coalesce(sum(rejected), 0)::integer as rejected,
        (array_agg(txid::text order by txid desc, seq desc) filter (where txid is not null))[1]
            as txid,
        (array_agg(seq order by txid desc, seq desc) filter (where txid is not null))[1] as seq
    from import_chunks
    where import_id = i.id
) as c
order by i.id desc;

-- name: where_id
id = %(id)s

-- name: where_source
source = %(source)s

-- name: where_status
%(status)s = case
    when undone_by is not null then 'undone'
    when finished_at is null then 'open'
    else 'finished'
end

-- name: where_cursor
id < %(cursor)s

-- name: rejects
select file, line, field, code, message, content as row
from import_rejects
where import_id = %(id)s
order by chunk, place
limit %(limit)s offset %(offset)s;

-- name: rejects_after
select chunk, place, file, line, field, code, message, content as row
from import_rejects
where import_id = %(id)s and (chunk, place) > (%(chunk)s, %(place)s)
order by chunk, place
limit %(limit)s;
