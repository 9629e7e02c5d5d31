-- name: keep
-- A letter whose removal from Redis was lost arrives again: it is kept once.
insert into dead_letters (
    id, message_id, queue, actor, body, readable, size, reason, error, message, attempts, report,
    deliveries, operation_id, first_failed_at, failed_at, replays, replay_of, task_id, step, member
)
values (
    %(id)s, %(message_id)s, %(queue)s, %(actor)s, %(body)s, %(readable)s, %(size)s, %(reason)s,
    %(error)s, %(message)s, %(attempts)s, %(report)s, %(deliveries)s, %(operation_id)s,
    %(first_failed_at)s, %(failed_at)s, %(replays)s, %(replay_of)s, %(task_id)s, %(step)s,
    %(member)s
)
on conflict do nothing;

-- name: page
select
    id, message_id, queue, actor, reason, error, message, deliveries, first_failed_at, failed_at,
    size, replays, state, original is not null as edited
from dead_letters
where {where}
order by failed_at desc, id desc
limit %(limit)s;

-- name: count
select count(*) as count
from dead_letters
where {where};

-- name: groups
with groups as (
    select
        actor, reason, error, count(*) as count,
        min(first_failed_at) as first_failed_at, max(failed_at) as failed_at
    from dead_letters
    where {where}
    group by actor, reason, error
    order by count(*) desc, max(failed_at) desc
    limit 100
)

select groups.*, last.id as example, last.message
from groups
cross join lateral (
    select id, message
    from dead_letters as d
    where
        d.state = %(state)s and d.actor = groups.actor and d.failed_at = groups.failed_at
        and d.reason = groups.reason and d.error = groups.error
    order by id desc
    limit 1
) as last
order by groups.count desc, groups.failed_at desc;

-- name: get
select *, original is not null as edited
from dead_letters
where id = %(id)s;

-- name: get_for_update
select *
from dead_letters
where id = %(id)s
for update;

-- name: where_state
state = %(state)s

-- name: where_ids
id = any(%(ids)s)

-- name: where_actor
actor = %(actor)s

-- name: where_queue
queue = %(queue)s

-- name: where_reason
reason = %(reason)s

-- name: where_error
error = %(error)s

-- name: where_text
(
    message ilike '%%' || %(pattern)s || '%%' or actor ilike '%%' || %(pattern)s || '%%'
    or position(convert_to(%(text)s, 'UTF8') in body) > 0
)

-- name: where_since
failed_at >= %(since)s

-- name: where_until
failed_at < %(until)s

-- name: where_task
task_id = %(task)s

-- name: where_cursor
(failed_at, id) < (%(cursor_at)s, %(cursor_id)s)

-- name: change
-- A slice at a time: a statement over a million rows would hold everyone up.
update dead_letters
set
    state = %(to_state)s, discarded_why = %(why)s, changed_by = %(by)s, changed_at = now(),
    replay_task = null
where id in (
    select id
    from dead_letters
    where {where}
    order by failed_at desc, id desc
    limit %(limit)s
    for update skip locked
);

-- name: edit
update dead_letters
set
    body = %(body)s, size = length(%(body)s::bytea), message_id = %(message_id)s,
    original = coalesce(original, %(original)s), changed_by = %(by)s, changed_at = now()
where id = %(id)s;

-- name: refused
-- A member of a canceled task would be skipped, and its letter be gone: resuming the task sends it.
select
    case
        when not readable then 'unreadable'
        when not actor = any(%(actors)s) then 'unknown_actor'
        when size > %(size_max)s then 'too_large'
        else 'task_canceled'
    end as why,
    count(*) as count
from dead_letters
where
    {where}
    and not (readable and actor = any(%(actors)s) and size <= %(size_max)s and (
        task_id is null
        or exists (select 1 from tasks as t where t.id = task_id and t.status <> 'canceled')
    ))
group by 1;

-- name: count_replayable
select count(*) as count
from dead_letters
where {where} and readable and actor = any(%(actors)s) and size <= %(size_max)s and (
        task_id is null
        or exists (select 1 from tasks as t where t.id = task_id and t.status <> 'canceled')
    );

-- name: select_for_replay
insert into replay_selection (task_id, place, letter_id)
select %(task_id)s, row_number() over (order by failed_at, id), id
from dead_letters
where {where} and readable and actor = any(%(actors)s) and size <= %(size_max)s and (
        task_id is null
        or exists (select 1 from tasks as t where t.id = task_id and t.status <> 'canceled')
    );

-- name: take
-- The next of the selection; whatever another replay or a person has taken meanwhile is passed over.
with batch as (
    delete from replay_selection
    where task_id = %(task_id)s and place in (
        select place
        from (
            select
                s.place, row_number() over next as number,
                sum(coalesce(d.size, 0)) over next as bytes
            from (
                select place, letter_id
                from replay_selection
                where task_id = %(task_id)s
                order by place
                limit %(limit)s
            ) as s
            left join dead_letters as d on d.id = s.letter_id
            window next as (order by s.place)
        ) as first
        where number = 1 or bytes <= %(bytes)s
    )
    returning letter_id
),

taken as (
    update dead_letters as d
    set
        state = 'replaying', replay_task = %(task_id)s, changed_by = %(by)s, changed_at = now()
    from batch
    where d.id = batch.letter_id and d.state = 'dead'
    returning d.id
)

select (select count(*) from batch) as batch, (select count(*) from taken) as taken;

-- name: replaying
select id, message_id, actor, queue, body, replays
from dead_letters
where replay_task = %(task_id)s and state = 'replaying'
order by failed_at, id;

-- name: replayed
update dead_letters
set state = 'replayed', changed_at = now()
where id = any(%(ids)s) and replay_task = %(task_id)s and state = 'replaying';

-- name: give_back
-- Letters that a replay had in hand when it was canceled and killed. If they were sent after all,
-- sending them again takes no effect twice.
update dead_letters as d
set state = 'dead', replay_task = null
from tasks as t
where
    d.state = 'replaying' and t.id = d.replay_task
    and t.status in ('canceled', 'failed') and d.changed_at < now() - interval '60 seconds';

-- name: moved
select done, total
from tasks
where id = %(task_id)s;

-- name: prune
delete from dead_letters
where id in (
    select id
    from dead_letters
    where
        (state = 'dead' and failed_at < now() - make_interval(days => %(days)s))
        or (
            state in ('replayed', 'discarded')
            and changed_at < now() - make_interval(days => %(aside_days)s)
        )
    limit 10000
)
returning state, reason;

-- name: prune_over
delete from dead_letters
where id in (
    select id
    from dead_letters
    where state = 'dead'
    order by failed_at desc, id desc
    offset %(most)s
    limit 10000
)
returning state, reason;

-- name: prune_effects
delete from effects
where key in (
    select key
    from effects
    where at < now() - make_interval(days => %(days)s)
    limit 10000
)
returning key;

-- name: audit
insert into audit (by, action, target, details)
values (%(by)s, %(action)s, %(target)s, %(details)s);
