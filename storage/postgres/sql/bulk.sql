-- name: count
select count(*) as count
from entries
where {where};

-- name: select
insert into entry_selection (task_id, place, entry_id)
select %(task_id)s, row_number() over (order by id), id
from entries
where {where};

-- name: named
select id, coalesce(external_id, id::text) as external_id
from entries
where {where}
order by id;

-- name: missing
-- What a selection names and no entry is called, each once; whether it has an id's form.
select given.name, given.is_id
from (
    select id::text as name, true as is_id
    from unnest(%(ids)s::uuid[]) as asked (id)
    where not exists (select from entries as e where e.id = asked.id)
    union
    select asked.name, false
    from unnest(%(external_ids)s::text[]) as asked (name)
    where not exists (
        select
        from entries as e
        where e.source = %(source)s and e.external_id = asked.name
    )
) as given
order by given.is_id desc, given.name;

-- name: where_ids
id = any(%(ids)s)

-- name: where_external_ids
external_id = any(%(external_ids)s)

-- name: where_category
lower(category) = lower(%(category)s)

-- name: where_tag
%(tag)s = any(tags)

-- name: where_severity
severity = %(severity)s

-- name: where_source
source = %(source)s

-- name: where_archived
(archived_at is not null) = %(archived)s

-- name: take
-- The next of the selection, in id order: two tasks that change the same entries can't deadlock.
delete from entry_selection
where task_id = %(task_id)s and place in (
    select place
    from entry_selection
    where task_id = %(task_id)s
    order by place
    limit %(limit)s
)
returning place, entry_id, first, last;

-- name: result
select result
from tasks
where id = %(task_id)s;

-- name: set_result
update tasks
set result = %(result)s, done = done + %(count)s
where id = %(task_id)s;

-- name: skip
insert into task_skips (task_id, entry_id, code, message)
values (%(task_id)s, %(entry_id)s, %(code)s, %(message)s)
on conflict do nothing;

-- name: skip_many
insert into task_skips (task_id, entry_id, code, message)
select %(task_id)s, entry_id, %(code)s, %(message)s
from unnest(%(ids)s::uuid[]) as missing (entry_id)
on conflict do nothing;

-- name: skips
select entry_id, code, message
from task_skips
where
    task_id = %(task_id)s and (%(cursor)s::uuid is null or entry_id > %(cursor)s)
order by entry_id
limit %(limit)s;

-- name: import_to_undo
-- Its last change decides how old it is.
select
    undone_by, started_at, finished_at,
    coalesce(finished_at, started_at) < now() - make_interval(hours => %(hours)s) as too_old
from imports
where id = %(id)s
for update;

-- name: undo_before
-- How an earlier undo ended, and whether it has left something.
select status, exists (select from task_skips where task_id = tasks.id) as left_some
from tasks
where id = %(id)s;

-- name: undone
update imports
set undone_by = %(task_id)s
where id = %(id)s;

-- name: count_import
-- Of what an import changed, and an undo `before` has left: what is as the import left it, or is so
-- again; and the imports, the last first, that stand between the others and that.
with touched as (
    select c.entry_id, min(c.version) as first, max(c.version) as last
    from import_chunks as k
    inner join changes as c on c.txid = k.txid
    where
        k.import_id = %(id)s
        and (
            %(before)s::uuid is null
            or c.entry_id in (select entry_id from task_skips where task_id = %(before)s)
        )
    group by c.entry_id
),

seen as (
    select
        t.entry_id, t.last,
        (t.first = 1 or before.entry_id is not null)
        and e.id is not null
        and (
            e.version = t.last
            or (
                v.title, v.problem, v.solution, v.category, v.severity, v.tags, v.custom,
                v.archived, v.withdrawn
            ) is not distinct from (
                e.title, e.problem, e.solution, e.category, e.severity, e.tags, e.custom,
                e.archived_at is not null, e.withdrawn
            )
        ) as fits
    from touched as t
    left join entries as e on e.id = t.entry_id
    left join entry_versions as v
        on v.entry_id = t.entry_id and v.version = t.last and e.version <> t.last
    left join entry_versions as before
        on before.entry_id = t.entry_id and before.version = t.first - 1
),

later as (
    select i.id, i.started_at
    from seen as s
    inner join changes as c on c.entry_id = s.entry_id and c.version > s.last
    inner join import_chunks as k on k.txid = c.txid
    inner join imports as i on i.id = k.import_id
    where
        not s.fits
        and (
            i.undone_by is null
            or exists (
                select from task_skips as left_some
                where left_some.task_id = i.undone_by and left_some.entry_id = s.entry_id
            )
        )
    group by i.id
    order by i.started_at desc, i.id desc
    limit %(limit)s
)

select
    count(*) filter (where fits) as count,
    count(*) filter (where not fits) as skipped,
    array(select id from later order by started_at desc, id desc) as later
from seen;

-- name: select_import
-- Every chunk is one transaction, so what it changed carries its id in the feed.
insert into entry_selection (task_id, place, entry_id, first, last)
select %(task_id)s, row_number() over (order by c.entry_id), c.entry_id, min(c.version), max(c.version)
from import_chunks as k
inner join changes as c on c.txid = k.txid
where
    k.import_id = %(id)s
    and (
        %(before)s::uuid is null
        or c.entry_id in (select entry_id from task_skips where task_id = %(before)s)
    )
group by c.entry_id;

-- name: version
select title, problem, solution, category, severity, tags, custom, archived, withdrawn
from entry_versions
where entry_id = %(id)s and version = %(version)s;

-- name: lock_to_undo
-- Locked in id order, as others do. Plain are those that are as the import left them, and that
-- nobody else's text stands against; of an import's own ones the state before.
select
    e.id, e.digest, e.archived_at is not null as archived, a.first, a.first = 1 as created,
    b.title, b.problem, b.solution, b.category, b.severity, b.tags, b.custom,
    b.archived as was_archived,
    e.version = a.last
    and (a.first = 1 or (b.archived is not null and e.external_id is not null)) as is_plain
from unnest(%(ids)s::uuid[], %(firsts)s::integer[], %(lasts)s::integer[]) as a (id, first, last)
inner join entries as e on e.id = a.id
left join entry_versions as b on b.entry_id = a.id and b.version = a.first - 1
order by e.id
for update of e;

-- name: withdraw
with gone as (
    update entries
    set
        archived_at = now(), withdrawn = true, version = version + 1, updated_at = now(),
        updated_by = %(by)s
    where id = any(%(ids)s::uuid[])
    returning id
)

insert into changes (entry_id, op)
select id, 'put' from gone
returning entry_id, txid::text, seq;

-- name: set_back
-- Entries as they were at these versions; one that is archived, as it was, stays so since when it is.
with back as (
    update entries as e
    set
        title = b.title, problem = b.problem, solution = b.solution, category = b.category,
        severity = b.severity, tags = b.tags, custom = b.custom, digest = a.digest,
        text_digest = a.text_digest, version = e.version + 1, updated_at = now(),
        updated_by = %(by)s,
        archived_at = case when b.archived then coalesce(e.archived_at, now()) end,
        withdrawn = case
            when b.archived = (e.archived_at is not null) then e.withdrawn
            else b.archived and b.withdrawn
        end
    from unnest(
        %(ids)s::uuid[], %(versions)s::integer[], %(digests)s::uuid[], %(text_digests)s::uuid[]
    ) as a (id, version, digest, text_digest)
    inner join entry_versions as b on b.entry_id = a.id and b.version = a.version
    where e.id = a.id
    returning e.id
)

insert into changes (entry_id, op)
select id, 'put' from back
returning entry_id, txid::text, seq;
