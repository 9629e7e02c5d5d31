-- name: searches
-- What the newest searches asked for, as it was typed; the newer, the more one counts. Not what was
-- masked, nor what found nothing: it is as quick as it is rare.
with newest as (
    select query, filters, at
    from events
    where kind = 'searched'
        and id >= uuid_at(now() - make_interval(days => %(days)s))
        and total > 0
        and coalesce(first, 0) = 0
    order by id desc
    limit %(look)s
)

select
    query, coalesce(filters, '{}') as filters,
    sum(power(0.5, extract(epoch from greatest(now() - at, '0')) / %(half_life)s)) as weight
from newest
where char_length(query) <= %(length)s and query !~ '<(email|number|long)>'
group by query, filters
order by weight desc, query collate "C", filters::text collate "C"
limit %(most)s;

-- name: entries
-- Those that were used most, the newer the use, the more it counts.
select entry_id, sum(used * power(0.5, ((now() at time zone 'UTC')::date - day) / %(half_life_days)s)) as weight
from entry_days
where day > (now() at time zone 'UTC')::date - %(days)s::integer and used > 0
group by entry_id
order by weight desc, entry_id
limit %(most)s;
