-- name: save
insert into saved_searches (name, query, category, webhook, txid, seq, updated_by)
values (
    %(name)s, %(query)s, %(category)s, %(webhook)s, %(txid)s::text::xid8, %(seq)s, %(by)s
)
on conflict (name) do update
    set
        query = excluded.query, category = excluded.category, webhook = excluded.webhook,
        txid = excluded.txid, seq = excluded.seq, updated_at = now(),
        updated_by = excluded.updated_by
returning name, query, category, webhook, updated_at, updated_by;

-- name: lock
-- One at a time, so that there are not more than may be.
lock table saved_searches in share row exclusive mode;

-- name: others
select count(*) as count
from saved_searches
where name <> %(name)s;

-- name: remove
delete from saved_searches
where name = %(name)s;

-- name: list
select
    s.name, s.query, s.category, s.webhook, s.updated_at, s.updated_by,
    (select count(*) from saved_matches as m where m.search = s.name) as matches
from saved_searches as s
order by s.name;

-- name: exists
select 1 as one
from saved_searches
where name = %(name)s;

-- name: matches
select m.id, m.entry_id, m.version, m.at, e.title, e.category
from saved_matches as m
left join entries as e on e.id = m.entry_id
where m.search = %(name)s and m.id < coalesce(%(cursor)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by m.id desc
limit %(limit)s;

-- name: place
select epoch, txid::text, seq
from saved_place;

-- name: begin_anew
-- The feed is another one: what was before it is not looked for.
insert into saved_place (epoch, txid, seq)
values (%(epoch)s, %(txid)s::text::xid8, %(seq)s)
on conflict (one) do update
    set epoch = excluded.epoch, txid = excluded.txid, seq = excluded.seq
    where saved_place.epoch <> excluded.epoch;

-- name: forget_places
update saved_searches
set txid = '0', seq = 0;

-- name: slice
-- The next changes that an index at a position has seen. `made` are those that made a state of
-- their entry; others told the index something else. What was there before the first of the
-- searches was saved need not be looked at.
with first as (
    select txid, seq
    from saved_searches
    order by txid, seq
    limit 1
)

select
    c.txid::text, c.seq, c.entry_id::text as id,
    c.op = 'put' and (
        exists (select 1 from entries as e where e.id = c.entry_id and e.updated_at = c.at)
        or exists (
            select 1
            from entry_versions as v
            where v.entry_id = c.entry_id and v.updated_at = c.at
        )
    ) as made
from changes as c
where
    (c.txid, c.seq) > (%(txid)s::text::xid8, %(seq)s)
    and (c.txid, c.seq) > (select f.txid, f.seq from first as f)
    and (c.txid, c.seq) <= (%(to_txid)s::text::xid8, %(to_seq)s)
order by c.txid, c.seq
limit %(limit)s;

-- name: move
-- On from where this run began, unless another run has been there.
update saved_place
set txid = %(to_txid)s::text::xid8, seq = %(to_seq)s
where epoch = %(epoch)s and txid = %(txid)s::text::xid8 and seq = %(seq)s;

-- name: keep
-- What was removed meanwhile matches no more, nor what is another search by now.
insert into saved_matches (id, search, entry_id, version, posted)
select m.id, s.name, m.entry_id, m.version, s.webhook = ''
from
    jsonb_to_recordset(%(found)s::text::jsonb) as m (
        id uuid, search text, entry_id uuid, version integer, txid text, seq bigint
    )
inner join saved_searches as s on s.name = m.search and (m.txid::xid8, m.seq) > (s.txid, s.seq)
order by m.id
for key share of s
on conflict (search, entry_id, version) do nothing;

-- name: unraised
select id, search, entry_id, version
from saved_matches
where not raised
order by id
limit %(limit)s;

-- name: raised
update saved_matches
set raised = true
where id = any(%(ids)s);

-- name: waiting
-- Searches whose webhook has not been told of all, and the newest match of each.
select m.search, max(m.id::text) as last
from saved_matches as m
where not m.posted
group by m.search;

-- name: unposted
select m.id, m.entry_id, m.version, m.at, e.title, e.category, s.webhook, s.query
from saved_matches as m
inner join saved_searches as s on s.name = m.search
left join entries as e on e.id = m.entry_id
where m.search = %(name)s and not m.posted
order by m.id
limit %(limit)s;

-- name: posted
update saved_matches
set posted = true
where id = any(%(ids)s);

-- name: prune
with over as (
    select id
    from (
        select id, at, row_number() over (partition by search order by id desc) as place
        from saved_matches
    ) as m
    where m.place > %(most)s or m.at < now() - make_interval(days => %(days)s)
    limit 10000
),

gone as (
    delete from saved_matches as m
    using over as o
    where m.id = o.id
    returning 1
)

select count(*) as removed
from gone
having count(*) > 0;
