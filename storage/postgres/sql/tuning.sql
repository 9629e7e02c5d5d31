-- name: set_synonyms
insert into synonyms (category, word, same_as, updated_by)
values (%(category)s, %(word)s, %(same_as)s, %(by)s)
on conflict (category, word) do update
    set same_as = excluded.same_as, updated_at = now(), updated_by = excluded.updated_by;

-- name: delete_synonyms
delete from synonyms
where category = %(category)s and word = %(word)s;

-- name: synonyms
select category, word, same_as, updated_at, updated_by
from synonyms
order by category, word
limit %(limit)s;

-- name: pin
insert into pins (query, entries, updated_by)
values (%(query)s, %(entries)s, %(by)s)
on conflict (query) do update
    set entries = excluded.entries, updated_at = now(), updated_by = excluded.updated_by;

-- name: not_entries
-- Those of the ids that no entry has, in their order.
select given.id
from unnest(%(entries)s::uuid[]) with ordinality as given (id, place)
where not exists (
    select 1 from entries as e where e.id = given.id
)
order by given.place;

-- name: has_category
-- Whether a category is called so, or has a part.
select exists (
    select 1 from categories
    where key = lower(%(category)s) or starts_with(key, lower(%(category)s) || '/')
) as known;

-- name: unpin
delete from pins
where query = %(query)s;

-- name: pins
select query, entries, updated_at, updated_by
from pins
order by query
limit %(limit)s;

-- name: changed
insert into search_tuning (version) values (1)
on conflict (one) do update
    set version = search_tuning.version + 1
returning version;

-- name: version
select version
from search_tuning;

-- name: lock_popular
lock table popular_queries in share row exclusive mode;

-- name: count_popular
-- The first of each day: what is among no day's first is not popular. Not what was masked.
with likely as (
    select distinct t.query
    from generate_series(
        (now() at time zone 'UTC')::date - %(days)s::integer + 1, (now() at time zone 'UTC')::date,
        interval '1 day'
    ) as d (day)
    cross join lateral (
        select query
        from query_days
        where day = d.day::date
        order by searches desc
        limit 2 * %(most)s
    ) as t
    where char_length(t.query) between 2 and %(length)s and t.query !~ '<(email|number|long)>'
),

counted as (
    select q.query, sum(q.searches - q.empty) as searches
    from query_days as q
    inner join likely as l on l.query = q.query
    where q.day > (now() at time zone 'UTC')::date - %(days)s::integer
    group by q.query
    having sum(q.searches - q.empty) >= %(least)s
    order by 2 desc, 1
    limit %(most)s
),

gone as (
    delete from popular_queries as p
    where not exists (select 1 from counted as c where c.query = p.query)
    returning 1
),

kept as (
    insert into popular_queries as p (query, searches)
    select query, searches
    from counted
    on conflict (query) do update
        set searches = excluded.searches
        where p.searches <> excluded.searches
    returning 1
)

select (select count(*) from gone) + (select count(*) from kept) as changed;

-- name: popular
select query, searches
from popular_queries
order by query collate "C"
limit %(limit)s;
