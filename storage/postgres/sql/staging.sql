-- name: stage
insert into import_staged (
    import_id, chunk, place, external_id, digest, text_digest, id, title, problem, solution,
    category, severity, tags, custom, related
)
select
    %(import_id)s, %(chunk)s, place, external_id, digest, text_digest, id, title, problem,
    solution, category, severity, tags, custom, related
from jsonb_to_recordset(%(rows)s::jsonb) as r (
    place integer, external_id text, digest uuid, text_digest uuid, id uuid, title text,
    problem text, solution text, category text, severity text, tags text [], custom jsonb,
    related jsonb
);

-- name: holders
-- Rows of chunks before; what they are about may have no entry yet.
select s.text_digest, e.id, i.source, s.external_id
from import_staged as s
inner join imports as i on i.id = s.import_id
left join entries as e on e.source = i.source and e.external_id = s.external_id
where s.import_id = %(import_id)s and s.text_digest = any(%(text_digests)s::uuid []);

-- name: drop_superseded
-- Of the rows about one entry the last one counts; those that were not taken only name it.
delete from import_staged as s
using (
    select
        chunk, place,
        row_number() over (
            partition by external_id, case when external_id is null then text_digest end
            order by chunk desc, place desc
        ) as nth
    from import_staged
    where import_id = %(id)s and digest is not null
) as ranked
where
    s.import_id = %(id)s and s.chunk = ranked.chunk and s.place = ranked.place
    and ranked.nth > 1;

-- name: analyze
analyze import_staged;

-- name: missing
-- How many entries of the source are not archived, and how many of them have no row. `unsure`: a
-- row that was rejected may be about any of these.
select
    exists (
        select 1
        from import_staged as s
        where s.import_id = %(id)s and s.external_id is null and s.text_digest is null
    ) as unsure,
    (select count(*) from entries where source = %(source)s and archived_at is null) as live,
    count(*) as missing
from entries as e
where
    e.source = %(source)s and e.archived_at is null
    and not exists (
        select 1
        from import_staged as s
        where s.import_id = %(id)s and s.external_id = coalesce(e.external_id, e.id::text)
    )
    and not exists (
        select 1
        from import_staged as s
        where
            s.import_id = %(id)s and s.external_id is null and s.text_digest = e.text_digest
    );

-- name: longest
select set_config('statement_timeout', %(longest)s, true);

-- name: plan
-- What happens to entries that are here; `chunk` and `place` are those of the row that replaces one.
create temporary table switch_plan (
    entry_id uuid not null,
    archive boolean not null,
    chunk integer,
    place integer
) on commit drop;

-- name: plan_puts
insert into switch_plan (entry_id, archive, chunk, place)
select distinct on (e.id)
    e.id, false, case when s.title is not null then s.chunk end,
    case when s.title is not null then s.place end
from (
    select e.id, e.digest, e.archived_at, s.chunk, s.place
    from entries as e
    inner join import_staged as s on s.external_id = e.external_id
    where s.import_id = %(id)s and e.source = %(source)s and s.digest is not null
    union all
    select e.id, e.digest, e.archived_at, s.chunk, s.place
    from entries as e
    inner join import_staged as s on s.text_digest = e.text_digest and s.external_id is null
    where s.import_id = %(id)s and e.source = %(source)s
) as e
inner join import_staged as s
    on s.import_id = %(id)s and s.chunk = e.chunk and s.place = e.place
where e.archived_at is not null or (s.title is not null and s.digest <> e.digest)
order by e.id, s.external_id is null, s.chunk desc, s.place desc;

-- name: plan_archives
insert into switch_plan (entry_id, archive)
select e.id, true
from entries as e
where
    e.source = %(source)s and e.archived_at is null
    and not exists (
        select 1
        from import_staged as s
        where s.import_id = %(id)s and s.external_id = coalesce(e.external_id, e.id::text)
    )
    and not exists (
        select 1
        from import_staged as s
        where
            s.import_id = %(id)s and s.external_id is null and s.text_digest = e.text_digest
    );

-- name: analyze_plan
analyze switch_plan;

-- name: keep_versions
-- Locked in the order in which imports lock the entries of a source.
insert into entry_versions (
    entry_id, version, title, problem, solution, category, severity, tags, custom,
    updated_at, updated_by, archived, withdrawn
)
select
    id, version, title, problem, solution, category, severity, tags, custom, updated_at,
    updated_by, archived_at is not null, withdrawn
from (
    select e.*
    from entries as e
    inner join switch_plan as p on p.entry_id = e.id
    order by e.external_id, e.text_digest
    for update of e
) as old
on conflict do nothing;

-- name: switch
-- The rows that are about no entry are new. One that someone stores at this moment is left as it is.
with updated as (
    update entries as e
    set
        title = coalesce(s.title, e.title), problem = coalesce(s.problem, e.problem),
        solution = coalesce(s.solution, e.solution), category = coalesce(s.category, e.category),
        severity = coalesce(s.severity, e.severity), tags = coalesce(s.tags, e.tags),
        custom = coalesce(s.custom, e.custom),
        digest = case when s.title is null then e.digest else s.digest end,
        text_digest = case when s.title is null then e.text_digest else s.text_digest end,
        archived_at = case when p.archive then now() end, withdrawn = p.archive,
        version = e.version + 1, updated_at = now(), updated_by = %(by)s
    from switch_plan as p
    left join import_staged as s
        on s.import_id = %(id)s and s.chunk = p.chunk and s.place = p.place
    where e.id = p.entry_id
    returning e.id, e.version, p.archive
),

created as (
    insert into entries (
        id, source, external_id, title, problem, solution, category, severity, tags, custom,
        digest, text_digest, created_by, updated_by
    )
    select
        s.id, %(source)s, s.external_id, s.title, s.problem, s.solution, s.category, s.severity,
        s.tags, s.custom, s.digest, s.text_digest, %(by)s, %(by)s
    from import_staged as s
    where
        s.import_id = %(id)s and s.title is not null
        and not exists (
            select 1
            from switch_plan as p
            where p.chunk = s.chunk and p.place = s.place
        )
    order by s.external_id, s.text_digest
    on conflict do nothing
    returning id
),

fed as (
    insert into changes (entry_id, op, version)
    select id, 'put', version from updated
    union all
    select id, 'put', 1 from created
    returning txid, seq
)

select
    (select count(*) from created) as created,
    (select count(*) from updated where not archive) as updated,
    (select count(*) from updated where archive) as archived,
    (select max(txid)::text from fed) as txid,
    (select max(seq) from fed) as seq;

-- name: note
-- The rows of the chunks were counted as unchanged; what the switch did is taken from them.
with noted as (
    update imports
    set archived = %(archived)s
    where id = %(id)s
)

insert into import_chunks (
    import_id, chunk, digest, received, created, updated, unchanged, rejected, txid, seq
)
values (
    %(id)s, %(chunk)s, '', 0, %(created)s, %(updated)s, %(unchanged)s, 0,
    %(txid)s::text::xid8, %(seq)s
);

-- name: clear
delete from import_staged
where import_id = %(id)s and (chunk, place) in (
    select chunk, place
    from import_staged
    where import_id = %(id)s
    limit 10000
);

-- name: prune
-- The stage of a replace that nobody has ended, with the record of its chunks: resumed, it stages
-- them again. That of a finished one is left over from a worker that died before clearing it.
with over as (
    select i.id, i.finished_at is null as forgotten
    from imports as i
    where
        exists (select 1 from import_staged as s where s.import_id = i.id)
        and (i.finished_at is not null or i.started_at < now() - make_interval(days => %(days)s))
    limit 1
    for update of i skip locked
),

chunks as (
    delete from import_chunks as c
    using over
    where c.import_id = over.id and over.forgotten
),

rejects as (
    delete from import_rejects as r
    using over
    where r.import_id = over.id and over.forgotten
),

staged as (
    delete from import_staged as s
    using over
    where s.import_id = over.id
    returning 1
)

select count(*) as removed
from staged
having count(*) > 0;
