-- name: count
select count(*) as count
from entries
where {where};

-- name: select
insert into entry_selection (task_id, place, entry_id)
select %(task_id)s, row_number() over (order by id), id
from entries
where {where};

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
    i.id, i.undone_by,
    coalesce(i.finished_at, i.started_at) < now() - make_interval(hours => %(hours)s) as too_old
from imports as i
where i.id = %(id)s
for update;

-- name: undone
update imports
set undone_by = %(task_id)s
where id = %(id)s;

-- name: count_import
select count(distinct c.entry_id) as count
from import_chunks as k
inner join changes as c on c.txid = k.txid
where k.import_id = %(id)s;

-- name: select_import
-- Every chunk is one transaction, so what it changed carries its id in the feed.
insert into entry_selection (task_id, place, entry_id, first, last)
select %(task_id)s, row_number() over (order by c.entry_id), c.entry_id, min(c.version), max(c.version)
from import_chunks as k
inner join changes as c on c.txid = k.txid
where k.import_id = %(id)s
group by c.entry_id;

-- name: version
select title, problem, solution, category, severity, tags, custom, archived, withdrawn
from entry_versions
where entry_id = %(id)s and version = %(version)s;
