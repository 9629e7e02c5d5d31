-- name: record
insert into spans
select *
from jsonb_populate_recordset(null::spans, %(spans)s::jsonb)
on conflict do nothing;

-- name: spans
-- Of a task: those of the operation that made it, and of the messages that are its members.
select operation_id, message_id, at, actor, queue, worker, waited_ms, ms, attempt, outcome, error,
    slow, shape, caller, steps
from spans
where
    operation_id = any(%(ids)s)
    or operation_id = any(array(
        select t.operation_id
        from tasks as t
        where t.id = any(%(uuids)s::uuid []) and t.operation_id <> ''
    ))
    or message_id = any(%(ids)s)
    or message_id = any(array(
        select m.message_id::text
        from task_members as m
        where m.task_id = any(%(uuids)s::uuid [])
        order by m.step, m.member
        limit 500
    ))
order by at
limit 500;

-- name: letters
select id, actor, state, reason, error, message, failed_at
from dead_letters
where
    operation_id = any(%(ids)s) or message_id = any(%(ids)s)
    or task_id = any(%(uuids)s::uuid [])
order by failed_at
limit 50;

-- name: errors
select fingerprint, error, place
from errors
where operation_id = any(%(ids)s)
limit 50;

-- name: tasks
select id, type, status, started_by
from tasks
where id = any(%(uuids)s::uuid []);

-- name: slow
select
    actor,
    count(*) as count,
    sum(ms)::float8 as total_ms,
    max(ms)::float8 as most_ms,
    (array_agg(operation_id order by ms desc))[1] as operation_id,
    (array_agg(shape order by ms desc))[1] as shape
from spans
where slow and at > now() - make_interval(hours => %(hours)s)
group by actor
order by total_ms desc
limit %(limit)s;

-- name: slow_statements
select
    step ->> 'name' as name,
    count(*) as count,
    sum((step ->> 'ms')::float8) as total_ms,
    max((step ->> 'ms')::float8) as most_ms,
    (array_agg(operation_id order by (step ->> 'ms')::float8 desc))[1] as operation_id,
    (array_agg(step -> 'shape' order by (step ->> 'ms')::float8 desc))[1] as shape,
    coalesce(
        (array_agg(step ->> 'plan' order by at desc) filter (where step ->> 'plan' <> ''))[1], ''
    ) as plan
from spans, jsonb_array_elements(steps) as step
where
    at > now() - make_interval(hours => %(hours)s)
    and steps @> '[{"slow": true}]'
    and (step ->> 'slow')::boolean
group by 1
order by total_ms desc
limit %(limit)s;

-- name: prune
with gone as (
    delete from spans
    where at < now() - make_interval(days => %(days)s)
    returning 1
)

select count(*) as removed
from gone
having count(*) > 0;
