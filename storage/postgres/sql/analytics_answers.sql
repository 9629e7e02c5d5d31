-- name: zone
-- Fails for a zone that this server does not know.
select now() at time zone %(zone)s as local;

-- name: totals
select metric, sum(value) as value
from (
    select metric, value
    from event_hours
    where
        not %(daily)s and metric = any(%(metrics)s) and hour >= %(since)s and hour < %(until)s
        and {where}
    union all
    select metric, value
    from event_days
    where
        %(daily)s and metric = any(%(metrics)s)
        and day >= (%(since)s at time zone 'UTC')::date
        and day < (%(until)s at time zone 'UTC')::date and {where}
) as counted
group by metric;

-- name: over_time
select to_char(date_trunc(%(by)s, at, %(zone)s) at time zone %(zone)s, %(shape)s) as key, metric,
    sum(value) as value
from (
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
) as counted
group by 1, 2
order by 1;

-- name: over_categories
select category as key, metric, sum(value) as value
from (
    select metric, category, value
    from event_hours
    where
        not %(daily)s and metric = any(%(metrics)s) and hour >= %(since)s and hour < %(until)s
        and category <> ''
    union all
    select metric, category, value
    from event_days
    where
        %(daily)s and metric = any(%(metrics)s)
        and day >= (%(since)s at time zone 'UTC')::date
        and day < (%(until)s at time zone 'UTC')::date and category <> ''
) as counted
group by 1, 2
order by 1;

-- name: where_all
category = ''

-- name: where_category
category = coalesce(
    (select name from categories where key = lower(%(category)s)), %(category)s
)

-- name: latency
select bucket, sum(searches) as searches
from (
    select bucket, searches
    from search_latency
    where not %(daily)s and hour >= %(since)s and hour < %(until)s
    union all
    select bucket, searches
    from search_latency_days
    where
        %(daily)s
        and day >= (%(since)s at time zone 'UTC')::date
        and day < (%(until)s at time zone 'UTC')::date
) as counted
group by bucket
order by bucket;

-- name: latency_over_time
select to_char(at at time zone %(zone)s, %(shape)s) as key, bucket, searches
from (
    select date_trunc(%(by)s, at, %(zone)s) as at, bucket, sum(searches) as searches
    from (
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
    ) as counted
    group by 1, 2
) as grouped
order by grouped.at, bucket;

-- name: stock
select live, archived
from entry_counts
where day < (%(until)s at time zone 'UTC')::date
order by day desc
limit 1;
