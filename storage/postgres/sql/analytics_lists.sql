-- name: likely_popular
-- The first of each day: a query that is among no day's first can't be among a period's by much.
select t.query
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
cross join lateral (
    select query, searches as n
    from query_days
    where day = d.day::date
    order by searches desc
    limit %(depth)s
) as t
group by t.query
order by sum(t.n) desc, t.query
limit %(likely)s;

-- name: likely_unanswered
select t.query
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
cross join lateral (
    select query, empty as n
    from query_days
    where day = d.day::date and empty > 0
    order by empty desc
    limit %(depth)s
) as t
group by t.query
order by sum(t.n) desc, t.query
limit %(likely)s;

-- name: likely_unclicked
select t.query
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
cross join lateral (
    select query, unclicked as n
    from query_days
    where day = d.day::date and unclicked > 0
    order by unclicked desc
    limit %(depth)s
) as t
group by t.query
order by sum(t.n) desc, t.query
limit %(likely)s;

-- name: queries
-- Exact numbers of these queries; `earlier` counts searches before the middle of the period.
select
    query, sum(searches) as searches, sum(empty) as empty, sum(clicked) as clicked,
    sum(ranked) as ranked, sum(reciprocal) as reciprocal, sum(took_ms) as took_ms,
    coalesce(sum(searches) filter (where day < %(middle)s), 0) as earlier
from query_days
where query = any(%(queries)s) and day between %(first)s and %(last)s
group by query;

-- name: likely_used
select t.entry_id
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
cross join lateral (
    select entry_id, used as n
    from entry_days
    where day = d.day::date and used > 0
    order by used desc
    limit %(depth)s
) as t
group by t.entry_id
order by sum(t.n) desc, t.entry_id
limit %(likely)s;

-- name: likely_used_of_category
-- By the category that an entry had on that day; one that has left it since is none of them.
select t.entry_id
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (day)
cross join lateral (
    select entry_id, used as n
    from entry_days
    where
        category = coalesce(
            (select name from categories where key = lower(%(category)s)), %(category)s
        )
        and day = d.day::date and used > 0
    order by used desc
    limit %(depth)s
) as t
inner join entries as e on e.id = t.entry_id and {where}
group by t.entry_id
order by sum(t.n) desc, t.entry_id
limit %(likely)s;

-- name: used_among
-- Where entries are narrowed by tag, few of a day's first may be among them: all of theirs are
-- added up, entry by entry.
select e.id as entry_id
from entries as e
cross join lateral (
    select sum(u.used) as used
    from entry_days as u
    where u.entry_id = e.id and u.day between %(first)s and %(last)s and u.used > 0
) as u
where u.used > 0 and {where}
order by u.used desc, e.id
limit %(likely)s;

-- name: used
-- Which ones are the first is told by an index alone; the numbers of these only are read.
with counted as materialized (
    select entry_id, sum(used) as used
    from entry_days
    where entry_id = any(%(entries)s) and day between %(first)s and %(last)s and used > 0
    group by entry_id
),

firsts as (
    select e.id, e.title, e.category, c.used
    from counted as c
    inner join entries as e on e.id = c.entry_id
    order by c.used desc, e.id
    limit %(limit)s
)

select
    f.id, f.title, f.category, f.used, sum(u.viewed) as viewed, sum(u.copied) as copied,
    sum(u.taken) as taken, sum(u.exported) as exported, sum(u.shown) as shown,
    sum(u.worked) as worked, sum(u.failed) as failed
from firsts as f
inner join entry_days as u on u.entry_id = f.id and u.day between %(first)s and %(last)s
group by f.id, f.title, f.category, f.used
order by f.used desc, f.id;

-- name: best
-- Wilson's lower bound of the success rate, z = 1.96: two of two are less sure than nine of ten.
with rated as (
    select
        u.entry_id, sum(u.worked)::float8 as worked, sum(u.worked + u.failed)::float8 as n,
        sum(u.ratings) as ratings, sum(u.rating_sum) as rating_sum
    from entry_days as u
    where u.day between %(first)s and %(last)s and u.worked + u.failed + u.ratings > 0
    group by u.entry_id
)

select
    e.id, e.title, e.category, r.worked::integer, (r.n - r.worked)::integer as failed, r.ratings, r.rating_sum,
    case
        when r.n > 0
            then (
                (r.worked / r.n + 1.9208 / r.n)
                - 1.96 * sqrt((r.worked * (r.n - r.worked) / r.n + 0.9604) / r.n ^ 2)
            ) / (1 + 3.8416 / r.n)
    end as sure
from rated as r
inner join entries as e on e.id = r.entry_id
where {where}
order by sure desc nulls last, r.rating_sum::float8 / nullif(r.ratings, 0) desc nulls last, e.id
limit %(limit)s;

-- name: unfound
-- One look at each entry, in order of ids (which is that of creation), and not at all days of all.
select e.id, e.title, e.category, e.created_at
from entries as e
left join lateral (
    select true as shown from entry_days as d where d.entry_id = e.id and d.shown > 0 limit 1
) as s on true
where
    e.archived_at is null and e.created_at < now() - interval '7 days' and s.shown is null
    and {where}
order by e.id
limit %(limit)s;

-- name: stale
-- Those that were used, the most used first; then the others, the oldest first.
select *
from (
    (
        select
            e.id, e.title, e.category, e.updated_at, u.usage, u.failure as failed, u.last_used_at
        from entry_usage as u
        inner join entries as e on e.id = u.entry_id
        where
            u.usage > 0 and e.archived_at is null
            and e.updated_at < now() - interval '180 days' and {where}
        order by u.usage desc, u.entry_id
        limit %(limit)s
    )
    union all
    (
        select
            e.id, e.title, e.category, e.updated_at, 0,
            coalesce((select u.failure from entry_usage as u where u.entry_id = e.id), 0), null
        from entries as e
        where
            e.archived_at is null and e.updated_at < now() - interval '180 days'
            and not exists (select 1 from entry_usage as u where u.entry_id = e.id and u.usage > 0)
            and {where}
        order by e.updated_at, e.id
        limit %(limit)s
    )
) as stale
order by usage desc, updated_at, id
limit %(limit)s;

-- name: where_of_category
e.category = coalesce(
    (select name from categories where key = lower(%(category)s)), %(category)s
)

-- name: where_of_tag
%(tag)s = any(e.tags)

-- name: where_of_entry
e.id = %(entry)s

-- name: entry
select
    e.id, e.title, coalesce(u.usage, 0) as usage, coalesce(u.success, 0) as success,
    coalesce(u.failure, 0) as failure, coalesce(u.ratings, 0) as ratings,
    coalesce(u.rating_sum, 0) as rating_sum, u.last_used_at,
    coalesce((select sum(d.shown) from entry_days as d where d.entry_id = e.id), 0) as shown
from entries as e
left join entry_usage as u on u.entry_id = e.id
where e.id = %(id)s;

-- name: entry_days
select
    day::text as day, shown, used, viewed, copied, taken, exported, worked, failed, ratings,
    rating_sum
from entry_days
where entry_id = %(id)s and day between %(first)s and %(last)s
order by day;

-- name: comments
select at, rating, worked, comment
from events
where entry_id = %(id)s and kind = 'rated' and comment is not null
order by id desc
limit 20;

-- name: over_entries
-- Each entry's days are added up before anybody asks for its title and tags; most first.
select
    case %(by)s when 'entry' then e.id::text when 'category' then e.category else t.tag end as key,
    case when %(by)s = 'entry' then max(e.title) end as title,
    sum(u.shown) as shown, sum(u.viewed) as viewed, sum(u.copied) as copied, sum(u.taken) as taken,
    sum(u.exported) as exported, sum(u.used) as used, sum(u.ratings) as ratings,
    sum(u.rating_sum) as rating_sum, sum(u.worked) as worked, sum(u.failed) as failed
from (
    select
        entry_id, sum(shown) as shown, sum(viewed) as viewed, sum(copied) as copied,
        sum(taken) as taken, sum(exported) as exported, sum(used) as used, sum(ratings) as ratings,
        sum(rating_sum) as rating_sum, sum(worked) as worked, sum(failed) as failed
    from entry_days
    where day between %(first)s and %(last)s
    group by entry_id
) as u
inner join entries as e on e.id = u.entry_id
left join lateral unnest(e.tags) as t (tag) on %(by)s = 'tag'
where (%(by)s <> 'tag' or t.tag is not null) and {where}
group by 1
order by
    case %(first_by)s
        when 'shown' then sum(u.shown)
        when 'viewed' then sum(u.viewed)
        when 'copied' then sum(u.copied)
        when 'taken' then sum(u.taken)
        when 'exported' then sum(u.exported)
        when 'used' then sum(u.used)
        when 'ratings' then sum(u.ratings)
        when 'rating_sum' then sum(u.rating_sum)
        when 'worked' then sum(u.worked)
        when 'failed' then sum(u.failed)
    end desc nulls last, 1
limit %(limit)s;

-- name: over_tags
-- Of all entries, by the tags that they had when it was counted; most first.
select
    tag as key, sum(shown) as shown, sum(viewed) as viewed, sum(copied) as copied,
    sum(taken) as taken, sum(exported) as exported, sum(used) as used, sum(ratings) as ratings,
    sum(rating_sum) as rating_sum, sum(worked) as worked, sum(failed) as failed
from tag_days
where day between %(first)s and %(last)s
group by tag
order by
    case %(first_by)s
        when 'shown' then sum(shown)
        when 'viewed' then sum(viewed)
        when 'copied' then sum(copied)
        when 'taken' then sum(taken)
        when 'exported' then sum(exported)
        when 'used' then sum(used)
        when 'ratings' then sum(ratings)
        when 'rating_sum' then sum(rating_sum)
        when 'worked' then sum(worked)
        when 'failed' then sum(failed)
    end desc, 1
limit %(limit)s;

-- name: entries_over_time
select
    to_char(date_trunc(%(by)s, u.day::timestamp), %(shape)s) as key,
    sum(u.shown) as shown, sum(u.viewed) as viewed, sum(u.copied) as copied, sum(u.taken) as taken,
    sum(u.exported) as exported, sum(u.used) as used, sum(u.ratings) as ratings,
    sum(u.rating_sum) as rating_sum, sum(u.worked) as worked, sum(u.failed) as failed
from entries as e
inner join entry_days as u on u.entry_id = e.id
where u.day between %(first)s and %(last)s and {where}
group by 1;

-- name: queries_over_time
select
    to_char(date_trunc(%(by)s, day::timestamp), %(shape)s) as key,
    sum(searches) as searches, sum(empty) as empty, sum(clicked) as clicked,
    sum(ranked) as ranked, sum(reciprocal) as reciprocal, sum(took_ms) as took_ms
from query_days
where query = %(query)s and day between %(first)s and %(last)s
group by 1;

-- name: activity
-- Changes of one transaction are one thing that happened, for each kind; of the feed the newest are
-- looked at, and what each did to its entry only until there are enough: its version tells, or its
-- moment, as in count_changes.
select happened.*, e.title
from (
    (
        select
            at, kind, entry_id, 1 as number, rating, worked, comment, query,
            details ->> 'rule' as rule, details ->> 'subject' as subject,
            details ->> 'search' as search, null as source, null::bigint as rows
        from events
        where
            kind in ('rated', 'copied', 'suggestion_taken', 'exported', 'logged_in', 'alert_raised')
            and id < uuid_at(%(before)s)
        order by id desc
        limit %(limit)s
    )
    union all
    (
        select
            moment.at, told.kind, told.first, told.number, null, null, null, null, null, null, null,
            null, null
        from (
            select
                at, array_agg(entry_id order by seq) as entries, array_agg(op order by seq) as ops,
                array_agg(version order by seq) as versions
            from (select * from changes order by txid desc, seq desc limit 10000) as newest
            where at < %(before)s
            group by txid, at
            order by at desc
        ) as moment
        cross join lateral (
            with each_change as materialized (
                select
                    c.entry_id, c.place,
                    case
                        when c.op = 'delete' then 'deleted'
                        when c.version = 1 then 'created'
                        when c.version > 1 then 'updated'
                        else (
                            select
                                case
                                    when moment.at = e.created_at then 'created'
                                    when
                                        moment.at = e.updated_at
                                        or exists (
                                            select 1
                                            from entry_versions as v
                                            where v.entry_id = e.id and v.updated_at = moment.at
                                        )
                                        then 'updated'
                                end
                            from entries as e
                            where e.id = c.entry_id
                        )
                    end as kind
                from
                    unnest(moment.entries, moment.ops, moment.versions)
                    with ordinality as c (entry_id, op, version, place)
            )

            select kind, (array_agg(entry_id order by place))[1] as first, count(*) as number
            from each_change
            where kind is not null
            group by kind
        ) as told
        order by moment.at desc
        limit %(limit)s
    )
    union all
    (
        select
            finished_at, 'imported', null, null, null, null, null, null, null, null, null, source,
            coalesce((select sum(c.received) from import_chunks as c where c.import_id = i.id), 0)
        from imports as i
        where finished_at < %(before)s
        order by finished_at desc
        limit %(limit)s
    )
) as happened
left join entries as e on e.id = happened.entry_id
order by happened.at desc
limit %(limit)s;
