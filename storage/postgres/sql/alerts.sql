-- name: raise
-- A rule holds: begin to wait, or note its value. `since` stays, unless the clock was set back.
insert into alerts (id, rule, subject, severity, state, value, threshold, message)
values (
    %(id)s, %(rule)s, %(subject)s, %(severity)s, 'pending', %(value)s, %(threshold)s, %(message)s
)
on conflict (rule, subject) where state <> 'resolved' do update
set
    value = excluded.value,
    message = excluded.message,
    since = least(alerts.since, now());

-- name: fire
update alerts
set state = 'firing', changed_at = now()
where
    rule = %(rule)s and subject = %(subject)s and state = 'pending'
    and since <= now() - make_interval(secs => %(hold)s);

-- name: settle
-- Rules that hold no more: what nobody was told of goes without a trace.
with gone as (
    delete from alerts
    where state = 'pending' and rule || ' ' || subject <> all(%(holding)s)
        and rule = any(%(rules)s)
)

update alerts
set state = 'resolved', changed_at = now()
where
    state in ('firing', 'acknowledged') and rule || ' ' || subject <> all(%(holding)s)
    and rule = any(%(rules)s);

-- name: untold
select id, state, rule, subject, severity
from alerts
where
    state in ('firing', 'resolved') and changed_at > now() - interval '1 day'
    and coalesce(told ->> 'log', '') <> state;

-- name: get
select *
from alerts
where id = %(id)s;

-- name: told
update alerts
set told = told || jsonb_build_object(%(channel)s::text, %(state)s::text)
where id = %(id)s;

-- name: list
select *
from alerts
where
    state <> 'pending'
    and (%(state)s::text is null or state = %(state)s::text)
    and (%(everything)s or state <> 'resolved')
order by changed_at desc, id desc
limit %(limit)s;

-- name: acknowledge
update alerts
set state = 'acknowledged', acknowledged_by = %(by)s, note = %(note)s, changed_at = now()
where id = %(id)s and state = 'firing'
returning *;

-- name: prune
with gone as (
    delete from alerts
    where state = 'resolved' and changed_at < now() - make_interval(days => %(days)s)
    returning 1
)

select count(*) as removed
from gone
having count(*) > 0;
