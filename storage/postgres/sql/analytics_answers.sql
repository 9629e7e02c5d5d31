-- name: zone
-- Fails for a zone that this server does not know.
select now() at time zone %(zone)s as local;

-- name: category
-- Its name as it is spelt here; what belongs to none is counted under one, too.
select name
from categories
where key = lower(%(category)s)
union all
select category
from (select '(none)' as category) as none
where category = %(category)s
limit 1;

-- name: totals
-- Whole days of UTC from the days, what is left at both ends from the hours.
select metric, sum(value) as value
from (
    select metric, value
    from event_days
    where
        metric = any(%(metrics)s) and day >= %(first_day)s and day < %(end_day)s and {where}
    union all
    select metric, value
    from event_hours
    where
        metric = any(%(metrics)s) and hour >= %(since)s and hour < %(head_end)s and {where}
    union all
    select metric, value
    from event_hours
    where
        metric = any(%(metrics)s) and hour >= %(tail)s and hour < %(until)s and {where}
) as counted
group by metric;

-- name: over_time
-- When a day, week or month of the zone begins is told once an hour, not once a row.
with times as materialized (
    select at, date_trunc(%(by)s, at, %(zone)s) as start
    from generate_series(
        %(since)s, %(until)s - interval '1 hour',
        case when %(daily)s then interval '24 hours' else interval '1 hour' end
    ) as t (at)
)

select to_char(start at time zone %(zone)s, %(shape)s) as key, metric, value
from (
    select t.start, c.metric, sum(c.value) as value
    from times as t
    inner join (
        select metric, hour as at, value
        from event_hours
        where
            not %(daily)s and metric = any(%(metrics)s) and hour >= %(since)s and hour < %(until)s
            and {where}
        union all
        select metric, day::timestamp at time zone 'UTC', value
        from event_days
        where
            %(daily)s and metric = any(%(metrics)s)
            and day >= (%(since)s at time zone 'UTC')::date
            and day < (%(until)s at time zone 'UTC')::date and {where}
    ) as c on c.at = t.at
    group by t.start, c.metric
) as grouped
order by start;

-- name: over_days_of_zone
-- A day of a zone is the day of UTC nearest to it, with the hours between their begins added or
-- taken away: those of a few hours are read, and not of all 24. In a zone that is off the full
-- hour it begins with the next full one.
with begins as (
    select %(since)s as at
    union
    select %(until)s
    union
    select b.at
    from
        generate_series(
            date_trunc(%(by)s, %(since)s at time zone %(zone)s), %(until)s at time zone %(zone)s,
            %(step)s::interval
        ) as l (local),
        lateral (
            select date_trunc(
                'hour', l.local at time zone %(zone)s + interval '1 hour - 1 microsecond', 'UTC'
            ) as at
        ) as b
    where b.at > %(since)s and b.at < %(until)s
),

marks as materialized (
    select
        at, day, lag(at) over w as before, lead(day) over w as next_day,
        case when at < day then 1 else -1 end as sign,
        least(at, day) as first, greatest(at, day) as last
    from (
        select at, date_trunc('day', at + interval '12 hours', 'UTC') as day
        from begins
    ) as b
    window w as (order by at)
),

days as materialized (
    select m.at as start, d.day::date as day
    from marks as m
    cross join lateral generate_series(
        m.day at time zone 'UTC', m.next_day at time zone 'UTC' - interval '1 day', interval '1 day'
    ) as d (day)
),

hours as materialized (
    select h.hour, s.start, s.sign
    from marks as m
    cross join lateral generate_series(
        m.first, m.last - interval '1 hour', interval '1 hour'
    ) as h (hour)
    cross join lateral (values
        (case when m.next_day is not null then m.at end, m.sign), (m.before, -m.sign)
    ) as s (start, sign)
    where s.start is not null
),

parts as (
    select n.start, c.metric, c.value
    from event_days as c
    inner join days as n on n.day = c.day
    where
        c.metric = any(%(metrics)s) and c.day >= (%(since)s at time zone 'UTC')::date
        and c.day <= (%(until)s at time zone 'UTC')::date and {where}
    union all
    select n.start, c.metric, n.sign * c.value
    from event_hours as c
    inner join hours as n on n.hour = c.hour
    where c.metric = any(%(metrics)s) and c.hour = any(array(select hour from hours)) and {where}
)

select
    to_char(date_trunc(%(by)s, start at time zone %(zone)s), %(shape)s) as key, metric, value
from (select start, metric, sum(value) as value from parts group by start, metric) as grouped
order by start;

-- name: over_categories
select category as key, metric, sum(value) as value
from (
    select metric, category, value
    from event_days
    where
        metric = any(%(metrics)s) and day >= %(first_day)s and day < %(end_day)s and {where}
    union all
    select metric, category, value
    from event_hours
    where
        metric = any(%(metrics)s) and hour >= %(since)s and hour < %(head_end)s and {where}
    union all
    select metric, category, value
    from event_hours
    where
        metric = any(%(metrics)s) and hour >= %(tail)s and hour < %(until)s and {where}
) as counted
group by 1, 2
order by 1;

-- name: where_all
category = ''

-- name: where_each
category <> ''

-- name: where_category
category = coalesce(
    (select name from categories where key = lower(%(category)s)), %(category)s
)

-- name: latency
select bucket, sum(searches) as searches
from (
    select bucket, searches
    from search_latency_days
    where day >= %(first_day)s and day < %(end_day)s
    union all
    select bucket, searches
    from search_latency
    where hour >= %(since)s and hour < %(head_end)s
    union all
    select bucket, searches
    from search_latency
    where hour >= %(tail)s and hour < %(until)s
) as counted
group by bucket
order by bucket;

-- name: latency_over_time
with times as materialized (
    select at, date_trunc(%(by)s, at, %(zone)s) as start
    from generate_series(
        %(since)s, %(until)s - interval '1 hour',
        case when %(daily)s then interval '24 hours' else interval '1 hour' end
    ) as t (at)
)

select to_char(start at time zone %(zone)s, %(shape)s) as key, buckets, counts
from (
    select start, array_agg(bucket order by bucket) as buckets,
        array_agg(searches order by bucket) as counts
    from (
        select t.start, c.bucket, sum(c.searches) as searches
        from times as t
        inner join (
            select hour as at, bucket, searches
            from search_latency
            where not %(daily)s and hour >= %(since)s and hour < %(until)s
            union all
            select day::timestamp at time zone 'UTC', bucket, searches
            from search_latency_days
            where
                %(daily)s
                and day >= (%(since)s at time zone 'UTC')::date
                and day < (%(until)s at time zone 'UTC')::date
        ) as c on c.at = t.at
        group by t.start, c.bucket
    ) as counted
    group by start
) as grouped
order by start;

-- name: stock
select live, archived
from entry_counts
where day < (%(until)s at time zone 'UTC')::date
order by day desc
limit 1;
