-- name: insert
insert into entries (
    id, source, external_id, title, problem, solution, category, severity, tags, custom,
    digest, text_digest, created_by, updated_by
)
values (
    %(id)s, '', null, %(title)s, %(problem)s, %(solution)s, %(category)s, %(severity)s, %(tags)s,
    %(custom)s, %(digest)s, %(text_digest)s, %(by)s, %(by)s
)
on conflict do nothing
returning id;

-- name: holder_of_text
-- In two parts: each has an index of its own, and neither serves a statement for both.
select id, title
from (
    select id, title
    from entries
    where text_digest = %(text_digest)s and external_id is null and id <> %(except)s
    union all
    select id, title
    from entries
    where text_digest = %(text_digest)s and external_id is not null and id <> %(except)s
) as holders
order by id
limit 1;

-- name: get
select
    e.*,
    e.archived_at is not null as archived,
    coalesce((
        select jsonb_agg(to_jsonb(r) - 'from_id' order by r.strength desc, r.to_id)
        from entry_relations as r
        where r.from_id = e.id
    ), '[]') as relations
from entries as e
where e.id = %(id)s;

-- name: get_many
select
    e.*,
    e.archived_at is not null as archived,
    coalesce((
        select jsonb_agg(to_jsonb(r) - 'from_id' order by r.strength desc, r.to_id)
        from entry_relations as r
        where r.from_id = e.id
    ), '[]') as relations
from entries as e
where e.id = any(%(ids)s);

-- name: get_for_update
select *, archived_at is not null as archived
from entries
where id = %(id)s
for update;

-- name: keep_versions
insert into entry_versions (
    entry_id, version, title, problem, solution, category, severity, tags, custom,
    updated_at, updated_by, archived, withdrawn
)
select
    id, version, title, problem, solution, category, severity, tags, custom, updated_at,
    updated_by, archived_at is not null, withdrawn
from entries
where id = any(%(ids)s::uuid[]);

-- name: update
update entries
set
    title = %(title)s, problem = %(problem)s, solution = %(solution)s, category = %(category)s,
    severity = %(severity)s, tags = %(tags)s, custom = %(custom)s, digest = %(digest)s,
    text_digest = %(text_digest)s, version = version + 1, updated_at = now(), updated_by = %(by)s
where id = %(id)s;

-- name: set_archived
update entries
set
    archived_at = case when %(archived)s then now() end, withdrawn = %(withdrawn)s,
    version = version + 1, updated_at = now(), updated_by = %(by)s
where id = %(id)s;

-- name: delete
delete from entries
where id = %(id)s;

-- name: versions
select version, title, problem, solution, category, severity, tags, custom, updated_at, updated_by
from entries
where id = %(id)s
union all
select version, title, problem, solution, category, severity, tags, custom, updated_at, updated_by
from entry_versions
where entry_id = %(id)s
order by version desc;

-- name: page_newest
select
    e.*,
    e.archived_at is not null as archived,
    coalesce((
        select jsonb_agg(to_jsonb(r) - 'from_id' order by r.strength desc, r.to_id)
        from entry_relations as r
        where r.from_id = e.id
    ), '[]') as relations
from entries as e
where
    (%(cursor)s::uuid is null or e.id < %(cursor)s)
    and (%(categories)s::text[] is null or lower(e.category) = any(%(categories)s))
    and (%(tag)s::text is null or %(tag)s = any(e.tags))
    and (%(severity)s::text is null or e.severity = %(severity)s)
    and (%(source)s::text is null or e.source = %(source)s)
    and (%(archived)s::boolean is null or (e.archived_at is not null) = %(archived)s)
order by e.id desc
limit %(limit)s;

-- name: page_oldest
select
    e.*,
    e.archived_at is not null as archived,
    coalesce((
        select jsonb_agg(to_jsonb(r) - 'from_id' order by r.strength desc, r.to_id)
        from entry_relations as r
        where r.from_id = e.id
    ), '[]') as relations
from entries as e
where
    (%(cursor)s::uuid is null or e.id > %(cursor)s)
    and (%(categories)s::text[] is null or lower(e.category) = any(%(categories)s))
    and (%(tag)s::text is null or %(tag)s = any(e.tags))
    and (%(severity)s::text is null or e.severity = %(severity)s)
    and (%(source)s::text is null or e.source = %(source)s)
    and (%(archived)s::boolean is null or (e.archived_at is not null) = %(archived)s)
order by e.id
limit %(limit)s;

-- name: relate
insert into relations (from_id, to_id, kind, strength)
values (%(from_id)s, %(to_id)s, %(kind)s, %(strength)s)
on conflict (from_id, to_id, kind) do update set strength = excluded.strength;

-- name: unrelate
delete from relations
where from_id = %(from_id)s and to_id = %(to_id)s and kind = %(kind)s;

-- name: ensure_categories
insert into categories (key, name)
select lower(name), min(name)
from unnest(%(names)s::text[]) as wanted (name)
group by lower(name)
order by lower(name)
on conflict do nothing;

-- name: category_names
select key, name
from categories
where key in (select lower(name) from unnest(%(names)s::text[]) as wanted (name));

-- name: parts_of_category
-- The keys of a category and of all in it, however deep, as the index has the tree (storage/index/
-- follower.py): without a parent of its own, a name with a slash tells it.
with recursive tree (key, above, depth) as (
    select key, key, 0
    from categories
    union all
    select
        t.key,
        coalesce(c.parent, rtrim(left(t.above, -strpos(reverse(t.above), '/')), '/ ')),
        t.depth + 1
    from tree as t
    left join categories as c on c.key = t.above
    where t.depth < 10 and (c.parent is not null or strpos(t.above, '/') > 0)
)

select distinct key
from tree
where above = lower(%(category)s);

-- name: preset_category
insert into categories (key, name, parent)
values (%(key)s, %(name)s, %(parent)s)
on conflict do nothing;
