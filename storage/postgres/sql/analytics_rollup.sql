-- name: lock
-- One roll-up at a time: two would wait for each other's rows in the middle.
select pg_advisory_xact_lock(hashtext('casebook roll-up'));

-- name: take
-- The oldest batches, until they hold so many events together.
delete from event_batches as b
using (
    select id, sum(events) over (order by id) - events as before
    from (select id, events from event_batches order by id limit 1000) as oldest
) as o
where b.id = o.id and o.before < %(most)s
returning b.id, b.events;

-- name: count_events
with noted as (
    select
        e.kind, e.at, e.total, e.took_ms, e.rating, e.worked,
        coalesce(c.name, n.category, '(none)') as category
    from events as e
    left join categories as c on c.key = lower(e.category)
    left join entries as n on n.id = e.entry_id
    where e.batch = any(%(batches)s)
),

summed as (
    select
        date_trunc('hour', at, 'UTC') as hour, coalesce(category, '') as category,
        count(*) filter (where kind = 'searched') as searches,
        count(*) filter (where kind = 'searched' and total = 0) as empty,
        sum(took_ms) filter (where kind = 'searched') as took_ms,
        count(*) filter (where kind = 'viewed') as viewed,
        count(*) filter (where kind = 'copied') as copied,
        count(*) filter (where kind = 'suggestion_taken') as taken,
        count(*) filter (where kind = 'exported') as exported,
        count(rating) as ratings, sum(rating) as rating_sum,
        count(*) filter (where worked) as worked, count(*) filter (where not worked) as failed,
        count(*) filter (where kind = 'logged_in') as logins,
        count(*) filter (where kind = 'alert_raised') as alerts,
        sum(total) filter (where kind = 'dropped') as dropped
    from noted
    group by date_trunc('hour', at, 'UTC'), grouping sets ((category), ())
),

-- A row of each metric is made here, of few rows: of every event it would cost twice the rest.
counted as (
    select s.hour, s.category, m.metric, m.value
    from summed as s
    cross join lateral (values
        ('searches', s.searches::float8), ('empty', s.empty), ('took_ms', s.took_ms),
        ('viewed', s.viewed), ('copied', s.copied), ('taken', s.taken), ('exported', s.exported),
        ('ratings', s.ratings), ('rating_sum', s.rating_sum), ('worked', s.worked),
        ('failed', s.failed), ('logins', s.logins), ('alerts', s.alerts), ('dropped', s.dropped)
    ) as m (metric, value)
    where m.value <> 0
),

hours as (
    insert into event_hours (metric, hour, category, value)
    select metric, hour, category, value
    from counted
    on conflict (metric, category, hour) do update
    set value = event_hours.value + excluded.value
)

insert into event_days (metric, day, category, value)
select metric, (hour at time zone 'UTC')::date, category, sum(value)
from counted
group by 1, 2, 3
on conflict (metric, category, day) do update
set value = event_days.value + excluded.value;

-- name: count_clicks
-- The first click of each search, counted in the hour and for the query of the search.
with clicked as (
    select distinct on (c.search_id)
        c.search_id, s.at, s.normalised, coalesce(k.name, '(none)') as category,
        coalesce(array_position(s.hits, c.entry_id) + coalesce(s.first, 0), c.rank) as rank
    from events as c
    inner join events as s on s.id = c.search_id and s.kind = 'searched'
    left join categories as k on k.key = lower(s.category)
    where
        c.batch = any(%(batches)s)
        and c.kind in ('viewed', 'copied', 'suggestion_taken')
    order by c.search_id, c.id
),

new as (
    insert into search_clicks (search_id, rank)
    select search_id, rank
    from clicked
    on conflict do nothing
    returning search_id
),

summed as (
    select
        date_trunc('hour', c.at, 'UTC') as hour, coalesce(c.category, '') as category,
        count(*) as clicked, count(c.rank) as ranked, sum(1.0 / c.rank) as reciprocal
    from clicked as c
    inner join new as n on n.search_id = c.search_id
    group by date_trunc('hour', c.at, 'UTC'), grouping sets ((c.category), ())
),

counted as (
    select s.hour, s.category, m.metric, m.value
    from summed as s
    cross join lateral (values
        ('clicked', s.clicked::float8), ('ranked', s.ranked), ('reciprocal', s.reciprocal)
    ) as m (metric, value)
    where m.value <> 0
),

hours as (
    insert into event_hours (metric, hour, category, value)
    select metric, hour, category, value
    from counted
    on conflict (metric, category, hour) do update
    set value = event_hours.value + excluded.value
),

days as (
    insert into event_days (metric, day, category, value)
    select metric, (hour at time zone 'UTC')::date, category, sum(value)
    from counted
    group by 1, 2, 3
    on conflict (metric, category, day) do update
    set value = event_days.value + excluded.value
)

insert into query_days (day, query, searches, empty, clicked, ranked, reciprocal, took_ms)
select
    (c.at at time zone 'UTC')::date, c.normalised, 0, 0, count(*), count(c.rank),
    coalesce(sum(1.0 / c.rank), 0), 0
from clicked as c
inner join new as n on n.search_id = c.search_id
where c.normalised <> ''
group by 1, 2
on conflict (query, day) do update
set
    clicked = query_days.clicked + excluded.clicked,
    ranked = query_days.ranked + excluded.ranked,
    reciprocal = query_days.reciprocal + excluded.reciprocal;

-- name: count_queries
insert into query_days (day, query, searches, empty, clicked, ranked, reciprocal, took_ms)
select
    (at at time zone 'UTC')::date, normalised, count(*), count(*) filter (where total = 0), 0, 0, 0,
    coalesce(sum(took_ms), 0)
from events
where batch = any(%(batches)s) and kind = 'searched' and normalised <> ''
group by 1, 2
on conflict (query, day) do update
set
    searches = query_days.searches + excluded.searches,
    empty = query_days.empty + excluded.empty,
    took_ms = query_days.took_ms + excluded.took_ms;

-- name: count_latency
with counted as (
    select
        date_trunc('hour', at, 'UTC') as hour,
        ceil(8 * ln(greatest(took_ms, 0.01)::float8) / ln(2.0::float8)) as bucket,
        count(*) as searches
    from events
    where batch = any(%(batches)s) and kind = 'searched' and took_ms is not null
    group by 1, 2
),

hours as (
    insert into search_latency (hour, bucket, searches)
    select hour, bucket, searches
    from counted
    on conflict (hour, bucket) do update
    set searches = search_latency.searches + excluded.searches
)

insert into search_latency_days (day, bucket, searches)
select (hour at time zone 'UTC')::date, bucket, sum(searches)
from counted
group by 1, 2
on conflict (day, bucket) do update
set searches = search_latency_days.searches + excluded.searches;

-- name: count_entries
-- By entry and by tag and day, and onto the counters of the entry; ids that no entry has count
-- nowhere. Whatever is many times the same is summed up first: lists of hits, and then entries.
with lists as (
    select (at at time zone 'UTC')::date as day, hits, count(*) as searches
    from events
    where batch = any(%(batches)s) and kind = 'searched'
    group by 1, 2
),

shown as (
    select h.id as entry_id, l.day, sum(l.searches) as shown
    from lists as l
    cross join unnest(l.hits) as h (id)
    group by 1, 2
),

used as (
    select
        entry_id, (at at time zone 'UTC')::date as day,
        count(*) filter (where kind = 'viewed') as viewed,
        count(*) filter (where kind = 'copied') as copied,
        count(*) filter (where kind = 'suggestion_taken') as taken,
        count(*) filter (where kind = 'exported') as exported,
        count(*) filter (where worked) as worked, count(*) filter (where not worked) as failed,
        count(rating) as ratings, coalesce(sum(rating), 0) as rating_sum,
        max(at) filter (
            where kind in ('viewed', 'copied', 'suggestion_taken', 'exported')
        ) as last_used_at
    from events
    where batch = any(%(batches)s) and entry_id is not null
    group by 1, 2
),

counted as (
    select
        e.id as entry_id, e.category, e.tags, day, coalesce(s.shown, 0) as shown,
        coalesce(u.viewed, 0) as viewed, coalesce(u.copied, 0) as copied,
        coalesce(u.taken, 0) as taken, coalesce(u.exported, 0) as exported,
        coalesce(u.worked, 0) as worked, coalesce(u.failed, 0) as failed,
        coalesce(u.ratings, 0) as ratings, coalesce(u.rating_sum, 0) as rating_sum, u.last_used_at
    from shown as s
    full join used as u using (entry_id, day)
    inner join entries as e on e.id = entry_id
),

days as (
    insert into entry_days (
        entry_id, day, category, shown, viewed, copied, taken, exported, worked, failed, ratings,
        rating_sum
    )
    select
        entry_id, day, category, shown, viewed, copied, taken, exported, worked, failed, ratings,
        rating_sum
    from counted
    on conflict (entry_id, day) do update
    set
        category = excluded.category,
        shown = entry_days.shown + excluded.shown,
        viewed = entry_days.viewed + excluded.viewed,
        copied = entry_days.copied + excluded.copied,
        taken = entry_days.taken + excluded.taken,
        exported = entry_days.exported + excluded.exported,
        worked = entry_days.worked + excluded.worked,
        failed = entry_days.failed + excluded.failed,
        ratings = entry_days.ratings + excluded.ratings,
        rating_sum = entry_days.rating_sum + excluded.rating_sum
),

tags as (
    insert into tag_days as t (
        tag, day, shown, viewed, copied, taken, exported, worked, failed, ratings, rating_sum
    )
    select
        g.tag, c.day, sum(c.shown), sum(c.viewed), sum(c.copied), sum(c.taken), sum(c.exported),
        sum(c.worked), sum(c.failed), sum(c.ratings), sum(c.rating_sum)
    from counted as c
    cross join unnest(c.tags) as g (tag)
    group by g.tag, c.day
    on conflict (tag, day) do update
    set
        shown = t.shown + excluded.shown,
        viewed = t.viewed + excluded.viewed,
        copied = t.copied + excluded.copied,
        taken = t.taken + excluded.taken,
        exported = t.exported + excluded.exported,
        worked = t.worked + excluded.worked,
        failed = t.failed + excluded.failed,
        ratings = t.ratings + excluded.ratings,
        rating_sum = t.rating_sum + excluded.rating_sum
)

insert into entry_usage as u (
    entry_id, usage, success, failure, ratings, rating_sum, last_used_at
)
select
    entry_id, sum(viewed + copied + taken + exported), sum(worked), sum(failed), sum(ratings),
    sum(rating_sum), max(last_used_at)
from counted
where viewed + copied + taken + exported + worked + failed + ratings > 0
group by entry_id
on conflict (entry_id) do update
set
    usage = u.usage + excluded.usage,
    success = u.success + excluded.success,
    failure = u.failure + excluded.failure,
    ratings = u.ratings + excluded.ratings,
    rating_sum = u.rating_sum + excluded.rating_sum,
    last_used_at = greatest(u.last_used_at, excluded.last_used_at);

-- name: feed_counted
select epoch, txid::text, seq
from feed_counted;

-- name: count_changes
-- A slice of the change feed. A change of an entry bears the moment of the state that it made;
-- one without such a state told the index something else.
with slice as (
    select txid, seq, entry_id, op, at
    from changes
    where
        (txid, seq) > (%(txid)s::text::xid8, %(seq)s)
        and txid < pg_snapshot_xmin(pg_current_snapshot())
    order by txid, seq
    limit %(limit)s
),

told as (
    select
        date_trunc('hour', s.at, 'UTC') as hour, coalesce(e.category, '(none)') as category,
        case
            when s.op = 'delete' then 'deleted'
            when s.at = e.created_at then 'created'
            when
                s.at = e.updated_at
                or exists (
                    select 1
                    from entry_versions as v
                    where v.entry_id = s.entry_id and v.updated_at = s.at
                )
                then 'updated'
        end as metric
    from slice as s
    left join entries as e on e.id = s.entry_id
),

counted as (
    select hour, coalesce(category, '') as category, metric, count(*)::double precision as value
    from told
    where metric is not null
    group by hour, metric, grouping sets ((category), ())
),

hours as (
    insert into event_hours (metric, hour, category, value)
    select metric, hour, category, value
    from counted
    on conflict (metric, category, hour) do update
    set value = event_hours.value + excluded.value
),

days as (
    insert into event_days (metric, day, category, value)
    select metric, (hour at time zone 'UTC')::date, category, sum(value)
    from counted
    group by 1, 2, 3
    on conflict (metric, category, day) do update
    set value = event_days.value + excluded.value
)

select txid::text, seq, count(*) over () as changes
from slice
order by slice.txid desc, seq desc
limit 1;

-- name: set_feed_counted
insert into feed_counted (epoch, txid, seq)
values (%(epoch)s, %(txid)s::text::xid8, %(seq)s)
on conflict (one) do update
set epoch = excluded.epoch, txid = excluded.txid, seq = excluded.seq;

-- name: count_stock
insert into entry_counts (day, live, archived)
select
    (now() at time zone 'UTC')::date, count(*) filter (where archived_at is null),
    count(*) filter (where archived_at is not null)
from entries
on conflict (day) do update
set live = excluded.live, archived = excluded.archived
where (entry_counts.live, entry_counts.archived) <> (excluded.live, excluded.archived);

-- name: tell_index
-- Counters that have moved enough, through the change feed to every index; at most every few
-- minutes for one entry.
with moved as (
    select entry_id
    from entry_usage
    where
        (usage >= fed_usage + 4 + fed_usage / 4 or success + failure > fed_rated)
        and (fed_at is null or fed_at < now() - make_interval(secs => %(seconds)s))
    limit %(limit)s
    for update skip locked
),

told as (
    update entry_usage as u
    set fed_usage = u.usage, fed_rated = u.success + u.failure, fed_at = now()
    from moved as m
    where u.entry_id = m.entry_id
    returning u.entry_id
)

insert into changes (entry_id, op)
select t.entry_id, 'put'
from told as t
inner join entries as e on e.id = t.entry_id and e.archived_at is null;
