-- name: record
-- In order of id, so that two batches that share events can't deadlock.
with numbered as materialized (
    select nextval('event_batch') as batch
),

new as (
    insert into events (
        id, kind, at, batch, who, session, search_id, entry_id, query, normalised, total, took_ms,
        first, hits, filters, category, rank, rating, worked, comment, details
    )
    select
        e.id, e.kind, uuid_time(e.id), n.batch, e.who, e.session, e.search_id, e.entry_id, e.query,
        e.normalised, e.total, e.took_ms, e.first, e.hits, e.filters, e.category, e.rank, e.rating,
        e.worked, e.comment, e.details
    from jsonb_to_recordset(%(batch)s::jsonb -> 'events') as e (
        id uuid, kind text, who uuid, session uuid, search_id uuid, entry_id uuid, query text,
        normalised text, total integer, took_ms real, first integer, hits uuid [], filters jsonb,
        category text, rank integer, rating smallint, worked boolean, comment text, details jsonb
    )
    cross join numbered as n
    order by e.id
    on conflict do nothing
    returning batch
)

insert into event_batches (id, events)
select batch, count(*)
from new
group by batch
returning events;

-- name: make_month
select make_event_month(%(at)s) as made;

-- name: make_months
select make_event_month(now() + make_interval(months => ahead)) as made
from generate_series(0, %(ahead)s) as ahead;

-- name: drop_months
select drop_event_months(now() - make_interval(days => %(days)s)) as removed;

-- name: prune_hours
delete from event_hours
where hour < now() - make_interval(days => %(days)s);

-- name: prune_latency
delete from search_latency
where hour < now() - make_interval(days => %(days)s);

-- name: prune_queries
delete from query_days
where day < current_date - %(days)s;

-- name: prune_entries
delete from entry_days
where day < current_date - %(days)s;

-- name: prune_tags
delete from tag_days
where day < current_date - %(days)s;

-- name: prune_clicks
delete from search_clicks
where search_id < uuid_at(now() - make_interval(days => %(days)s));

-- name: prune_usage
delete from entry_usage as u
where not exists (select 1 from entries as e where e.id = u.entry_id);

-- name: entry_usage
-- Counters of entries by id, for whoever ranks them; entries that nobody used have no row.
select entry_id, usage, success, failure, last_used_at
from entry_usage
where entry_id = any(%(ids)s);
