-- name: open
insert into tasks (
    id, type, status, started_by, operation_id, details, key, total, enqueued_at, started_at
)
values (
    %(id)s, %(type)s, %(status)s, %(by)s, %(operation_id)s, %(details)s, %(key)s, %(total)s,
    coalesce(%(enqueued_at)s, now()), case when %(status)s = 'processing' then now() end
)
on conflict do nothing;

-- name: add_step
insert into task_steps (task_id, step, name, status)
values (%(task_id)s, %(step)s, %(name)s, 'waiting');

-- name: add_members
insert into task_members (task_id, step, member, message_id, actor, queue, request, status)
select %(task_id)s, %(step)s, m.member, m.message_id, m.actor, m.queue, m.request, 'waiting'
from jsonb_to_recordset(%(members)s::jsonb) as m (
    member integer, message_id uuid, actor text, queue text, request jsonb
);

-- name: lock
select id, status, type
from tasks
where id = %(id)s
for update;

-- name: status
select status
from tasks
where id = %(id)s;

-- name: member
select status, sends
from task_members
where task_id = %(id)s and step = %(step)s and member = %(member)s;

-- name: hear
-- Not at every message of a fan-out: they would wait for each other at this row.
update tasks
set
    status = case when status = 'enqueued' then 'processing' else status end,
    started_at = coalesce(started_at, now()), heard_at = now()
where
    id = %(id)s
    and (
        status = 'enqueued'
        or heard_at is null or heard_at < now() - interval '10 seconds'
    );

-- name: member_done
-- Once: a member that arrives again is no longer waiting for its end.
update task_members
set status = 'succeeded', result = %(result)s::jsonb, error = null
where task_id = %(id)s and step = %(step)s and member = %(member)s and status <> 'succeeded';

-- name: member_failed
update task_members
set status = 'failed', error = %(error)s
where task_id = %(id)s and step = %(step)s and member = %(member)s and status <> 'succeeded';

-- name: fail
update tasks
set status = 'failed', finished_at = now()
where id = %(id)s and status in ('enqueued', 'processing');

-- name: stop
-- What has no members says itself why it failed.
update tasks
set
    status = 'failed', finished_at = now(),
    details = details || jsonb_build_object('stopped', %(error)s::jsonb)
where id = %(id)s and status in ('enqueued', 'processing');

-- name: finish_step
update task_steps
set status = 'succeeded', finished_at = now()
where
    task_id = %(id)s and step = %(step)s and status = 'processing'
    and not exists (
        select 1
        from task_members as m
        where m.task_id = task_steps.task_id and m.step = task_steps.step
            and m.status <> 'succeeded'
    );

-- name: reopen
-- A failed task whose dead member went through after all goes on.
update tasks
set status = 'processing', finished_at = null
where
    id = %(id)s and status = 'failed'
    and not exists (select 1 from task_members where task_id = %(id)s and status = 'failed');

-- name: next_step
update task_steps
set status = 'processing', started_at = now()
where
    task_id = %(id)s
    and step = (select min(step) from task_steps where task_id = %(id)s and status <> 'succeeded')
    and status = 'waiting'
returning step;

-- name: send_members
update task_members
set status = 'sent', sends = sends + 1
where task_id = %(id)s and step = %(step)s and status = 'waiting';

-- name: all_steps_succeeded
-- Null for a task without steps (an import, a write): something else tells how it ends.
select bool_and(status = 'succeeded') as succeeded
from task_steps
where task_id = %(id)s;

-- name: succeed
update tasks
set
    status = 'succeeded', finished_at = now(),
    result = coalesce(result, (
        select m.result
        from task_members as m
        where m.task_id = tasks.id
        order by m.step desc, m.member
        limit 1
    ))
where id = %(id)s and status in ('enqueued', 'processing', 'failed');

-- name: due
-- The messages that should be on their way.
select task_id, step, member, message_id, actor, queue, request, sends
from task_members
where task_id = %(id)s and status = 'sent'
order by step, member;

-- name: idle
-- Tasks with messages that should be on their way, and that nothing was heard of for a while.
select distinct t.id
from tasks as t
inner join task_steps as s on s.task_id = t.id and s.status = 'processing'
inner join task_members as m on m.task_id = s.task_id and m.step = s.step and m.status = 'sent'
where
    t.status in ('enqueued', 'processing')
    and s.started_at < now() - interval '60 seconds'
    and coalesce(t.heard_at, s.started_at) < now() - interval '60 seconds'
limit 100;

-- name: end_writes
-- A write's task ends with its effect or its letter; this is for lists, which look at the status.
update tasks as t
set
    status = case when e.reply is not null then 'succeeded' else 'failed' end,
    finished_at = coalesce(e.at, d.failed_at)
from tasks as w
left join effects as e on e.key = w.key and e.reply is not null
left join lateral (
    select failed_at
    from dead_letters
    where message_id = w.id::text and state = 'dead'
    order by failed_at desc
    limit 1
) as d on true
where
    w.id = t.id and t.status in ('enqueued', 'failed') and t.key is not null
    and (e.reply is not null or (d.failed_at is not null and t.status = 'enqueued'));

-- name: cancel
update tasks
set status = 'canceled', finished_at = now()
where id = %(id)s and status in ('enqueued', 'processing')
returning id;

-- name: resume
update tasks
set status = 'processing', finished_at = null, details = details - 'stopped'
where id = %(id)s and status in ('canceled', 'failed')
returning id;

-- name: resume_members
-- Sent anew: what a canceled member left in its queue has been skipped, a failed one is a letter.
update task_members
set status = 'sent', sends = sends + 1, error = null
where task_id = %(id)s and status in ('sent', 'failed');

-- name: resume_letters
update dead_letters
set state = 'replayed', replay_task = %(id)s, changed_by = %(by)s, changed_at = now()
where task_id = %(id)s and state = 'dead';

-- name: edit_member
update task_members
set request = %(request)s
where task_id = %(id)s and step = %(step)s and member = %(member)s;

-- name: progress
update tasks
set done = %(done)s, total = coalesce(%(total)s, total), heard_at = now()
where id = %(id)s;

-- name: add_done
update tasks
set done = done + %(count)s
where id = %(id)s;

-- name: describe
update tasks
set details = %(details)s
where id = %(id)s;

-- name: get
-- A write's status is that of its effect; an import's progress and counts are those of its chunks.
select
    t.id, t.type, t.started_by, t.enqueued_at, t.started_at,
    t.details || coalesce(u.details, '{}') as details, coalesce(t.total, m.members) as total,
    coalesce(t.result, e.reply, i.counts) as result,
    case
        when t.key is null then t.status
        when e.reply is not null then 'succeeded'
        when d.id is not null then 'failed'
        else t.status
    end as status,
    coalesce(t.finished_at, e.at, d.failed_at) as finished_at,
    coalesce(i.received, t.done, m.succeeded, 0) as done,
    i.txid, i.seq, m.error,
    d.id as dead_letter, d.error as dead_error, d.message as dead_message
from (
    select *
    from tasks
    where {where}
    order by id desc
    limit %(limit)s
) as t
left join effects as e on e.key = t.key
left join lateral (
    select l.id, l.error, l.message, l.failed_at
    from dead_letters as l
    where l.message_id = t.id::text and l.state = 'dead' and t.key is not null
    order by l.failed_at desc
    limit 1
) as d on true
left join lateral (
    select
        sum(c.received)::bigint as received,
        case when count(*) > 0 then
            jsonb_build_object(
                'received', sum(c.received), 'created', sum(c.created), 'updated', sum(c.updated),
                'unchanged', sum(c.unchanged), 'rejected', sum(c.rejected)
            )
        end as counts,
        (array_agg(c.txid::text order by c.txid desc, c.seq desc)
            filter (where c.txid is not null))[1] as txid,
        (array_agg(c.seq order by c.txid desc, c.seq desc)
            filter (where c.txid is not null))[1] as seq
    from import_chunks as c
    where c.import_id = t.id and t.type = 'import'
) as i on true
left join lateral (
    select jsonb_build_object('undone_by', undone_by) as details
    from imports
    where id = t.id and undone_by is not null
) as u on true
left join lateral (
    select
        nullif(count(*), 0) as members,
        count(*) filter (where status = 'succeeded') as succeeded,
        (array_agg(error order by step, member) filter (where status = 'failed'))[1] as error
    from task_members
    where task_id = t.id
) as m on true
order by t.id desc;

-- name: where_id
id = %(id)s

-- name: where_status
status = %(status)s

-- name: where_type
type = %(type)s

-- name: where_since
enqueued_at >= %(since)s

-- name: where_until
enqueued_at < %(until)s

-- name: where_cursor
id < %(cursor)s

-- name: steps
select
    s.name,
    case
        when s.status = 'succeeded' then 'succeeded'
        when count(*) filter (where m.status = 'failed') > 0 then 'failed'
        when t.status = 'canceled' then 'canceled'
        else s.status
    end as status,
    s.started_at, s.finished_at,
    count(*) as members,
    count(*) filter (where m.status = 'succeeded') as succeeded,
    count(*) filter (where m.status = 'failed') as failed,
    case when count(*) = 1 then (array_agg(m.result))[1] end as result,
    (array_agg(m.error order by m.member) filter (where m.error is not null))[1] as error
from task_steps as s
inner join tasks as t on t.id = s.task_id
inner join task_members as m on m.task_id = s.task_id and m.step = s.step
where s.task_id = %(id)s
group by s.task_id, s.step, t.status
order by s.step;

-- name: prune
delete from tasks
where
    coalesce(finished_at, case when key is not null then enqueued_at end)
    < now() - make_interval(days => %(days)s)
returning id;
