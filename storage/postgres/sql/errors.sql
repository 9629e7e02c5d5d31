-- name: record
insert into errors (
    fingerprint, error, place, category, severity, count, first_seen, last_seen, actor,
    operation_id, message, traceback
)
select
    fingerprint, error, place, category, severity, count, first_seen, last_seen, actor,
    operation_id, message, traceback
from jsonb_populate_recordset(null::errors, %(seen)s::jsonb)
order by fingerprint
on conflict (fingerprint) do update
set
    count = errors.count + excluded.count,
    first_seen = least(errors.first_seen, excluded.first_seen),
    last_seen = greatest(errors.last_seen, excluded.last_seen),
    severity = excluded.severity,
    actor = excluded.actor,
    operation_id = excluded.operation_id,
    message = excluded.message,
    traceback = excluded.traceback,
    resolved_at = null,
    resolved_by = null;

-- name: list
select *
from errors
where
    (%(everything)s or resolved_at is null)
    and (%(category)s::text is null or category = %(category)s::text)
order by last_seen desc
limit %(limit)s;

-- name: resolve
update errors
set resolved_at = now(), resolved_by = %(by)s
where fingerprint = %(fingerprint)s
returning *;

-- name: prune
-- What was not seen for long, and beyond `most` groups those seen longest ago.
with gone as (
    delete from errors
    where
        last_seen < now() - make_interval(days => %(days)s)
        or fingerprint in (
            select fingerprint from errors order by last_seen desc offset %(most)s
        )
    returning 1
)

select count(*) as removed
from gone
having count(*) > 0;
