-- Events of %(days)s days, %(day)s a day, and what roll-ups would have made of them.

select pg_advisory_xact_lock(hashtext('casebook roll-up'));

truncate events, event_batches, event_hours, event_days, search_latency, search_latency_days,
query_days, entry_days, tag_days, entry_usage, entry_counts;

delete from entries where source = 'made';

insert into entries (
    id, title, problem, solution, category, severity, tags, custom, digest, text_digest,
    created_by, updated_by, external_id, source, created_at, updated_at
)
select
    uuid_at(now() - n * interval '1 minute' - interval '200 days'), 'entry ' || n, '', '',
    (array['VSAM', 'DB2', 'CICS', 'IMS', 'JCL', 'Batch', 'COBOL', 'Security', 'Network', 'System',
    'Other'])[1 + n %% 11], 'low', array['tag ' || n %% 50], '{}', gen_random_uuid(),
    gen_random_uuid(), '', '', n::text, 'made', now() - interval '200 days',
    now() - n %% 400 * interval '1 day'
from generate_series(1, %(entries)s) as n;

select make_event_month(month)
from generate_series(now() - interval '4 months', now(), interval '1 month') as m (month);

-- Six of ten are searches with ten hits. Batches below zero are those that a sequence never gives.
insert into events (
    id, kind, at, batch, who, entry_id, query, normalised, total, took_ms, hits, rating, worked
)
select
    (left(uuid_at(t.at)::text, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, k.kind, t.at,
    -1 - n / 500, h.ids[1 + n %% 7], case when k.kind <> 'searched' then h.ids[1 + n %% 10] end,
    q.text, q.text, case when k.kind = 'searched' then 40 end,
    case when k.kind = 'searched' then 3.5 end, case when k.kind = 'searched' then h.ids end,
    case when k.kind = 'rated' then 1 + n %% 5 end, case when k.kind = 'rated' then n %% 4 > 0 end
from (select array_agg(id) as ids from (select id from entries where source = 'made' limit 10)) as h,
generate_series(1, %(days)s * %(day)s) as n,
lateral (
    select now() - (%(days)s * %(day)s - n) * (interval '1 day' / %(day)s) as at
) as t,
lateral (
    select (array['searched', 'viewed', 'searched', 'searched', 'viewed', 'searched', 'viewed',
        'searched', 'searched', case n / 10 %% 20 when 0 then 'exported' when 1 then 'suggestion_taken'
        when 2 then 'rated' else 'copied' end])[1 + n %% 10] as kind
) as k,
lateral (select case when k.kind = 'searched' then 'query number ' || n %% 20500 end as text) as q;

-- As often asked as words are used (Zipf), each day a little different.
insert into query_days (day, query, searches, empty, clicked, ranked, reciprocal, took_ms)
select
    current_date - d, 'query number ' || (n + d * 7 %% 500), s,
    case when n %% 9 = 0 then s else 0 end,
    case when n %% 9 > 3 then s / 2 else 0 end, s / 2, s / 4.0, s * 4
from generate_series(0, %(days)s - 1) as d,
generate_series(1, 20000) as n,
lateral (select greatest(1, (0.06 * %(day)s / n)::integer) as s) as t;

-- In the order in which time lays them down.
insert into event_hours (metric, hour, category, value)
select m, date_trunc('hour', now()) - h * interval '1 hour', c, 1 + %(day)s / 24 / 11 * random()
from unnest(array['searches', 'empty', 'clicked', 'ranked', 'reciprocal', 'took_ms', 'viewed',
    'copied', 'taken', 'exported', 'ratings', 'rating_sum', 'worked', 'failed', 'created', 'updated'
]) as m, generate_series(0, %(days)s * 24 - 1) as h,
unnest(array['', '(none)', 'VSAM', 'DB2', 'CICS', 'IMS', 'JCL', 'Batch', 'COBOL', 'Security',
    'Network', 'System', 'Other']) as c
order by h desc;

insert into event_days (metric, day, category, value)
select metric, (hour at time zone 'UTC')::date, category, sum(value)
from event_hours
group by 1, 2, 3;

insert into search_latency (hour, bucket, searches)
select date_trunc('hour', now()) - h * interval '1 hour', b, 1 + (%(day)s / 24 / 40)
from generate_series(0, %(days)s * 24 - 1) as h, generate_series(0, 40) as b;

insert into search_latency_days (day, bucket, searches)
select (hour at time zone 'UTC')::date, bucket, sum(searches)
from search_latency
group by 1, 2;

insert into entry_days (
    entry_id, day, category, shown, viewed, copied, taken, exported, worked, failed, ratings,
    rating_sum
)
select
    e.id, current_date - d, e.category, v * 8, v, v / 3, 0, 0, v / 9, v / 30, v / 12, v / 3
from generate_series(0, %(days)s - 1) as d,
(select id, category, row_number() over () as n from entries where source = 'made') as e,
lateral (select (0.03 * %(day)s / (1 + (e.n * 7919 + d * 31) %% 20000))::integer as v) as t
where v > 0;

insert into tag_days (
    tag, day, shown, viewed, copied, taken, exported, worked, failed, ratings, rating_sum
)
select
    t.tag, d.day, sum(d.shown), sum(d.viewed), sum(d.copied), sum(d.taken), sum(d.exported),
    sum(d.worked), sum(d.failed), sum(d.ratings), sum(d.rating_sum)
from entry_days as d
inner join entries as e on e.id = d.entry_id
cross join unnest(e.tags) as t (tag)
group by 1, 2;

insert into entry_usage (entry_id, usage, success, failure, last_used_at)
select entry_id, sum(used), sum(worked), sum(failed), max(day)
from entry_days
group by 1;

insert into entry_counts (day, live, archived)
values (current_date, %(entries)s, 0)
on conflict (day) do update set live = excluded.live;
