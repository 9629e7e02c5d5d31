-- name: lock
select pg_advisory_xact_lock(hashtext('casebook health'));

-- name: add
-- At most one of a node in `gap` seconds, so that a second delivery adds nothing.
insert into health_samples (node, numbers)
select %(node)s::text, %(numbers)s::jsonb
where not exists (
    select 1
    from health_samples
    where
        node = %(node)s::text
        and at > now() - make_interval(secs => %(gap)s) and at <= now()
)
on conflict do nothing
returning at;

-- name: recent
-- Not what a clock that was set back has made the future.
select at, node, numbers
from health_samples
where at > now() - make_interval(secs => %(seconds)s) and at <= now()
order by at;

-- name: history
select at, node, numbers
from health_samples
where
    (%(node)s::text is null or node = %(node)s::text)
    and (%(before)s::timestamptz is null or at < %(before)s::timestamptz)
order by at desc
limit %(limit)s;

-- name: prune
with gone as (
    delete from health_samples
    where at < now() - make_interval(days => %(days)s)
    returning 1
)

select count(*) as removed
from gone
having count(*) > 0;
