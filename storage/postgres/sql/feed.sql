-- name: append
insert into changes (entry_id, op)
values (%(entry_id)s, %(op)s)
returning txid::text, seq;

-- name: notify
notify casebook_changes;

-- name: epoch
-- The timeline is read from a WAL file name: pg_control_checkpoint() shows it only later.
select
    to_hex(system_identifier) || '-' || ltrim(substr(
        pg_walfile_name(pg_current_wal_lsn()), 1, 8
    ), '0') || '-' || (select restores from epoch) as epoch
from pg_control_system();

-- name: read
-- One batch of settled changes after a position, with the entry as it is now. Ids as text: that is
-- what the index has, and what takes least to read.
select
    c.txid::text, c.seq, c.entry_id::text, e.id::text,
    e.title, e.problem, e.solution, e.category, e.severity, e.tags, e.version, e.updated_at,
    e.archived_at, e.source, e.external_id, e.created_by, e.created_at,
    e.custom -> 'codes' as codes, u.usage, u.success, u.failure
from (
    select txid, seq, entry_id
    from changes
    where
        (txid, seq) > (%(txid)s::text::xid8, %(seq)s)
        and txid < pg_snapshot_xmin(pg_current_snapshot())
    order by txid, seq
    limit %(limit)s
) as c
left join entries as e on e.id = c.entry_id
left join entry_usage as u on u.entry_id = c.entry_id
order by c.txid, c.seq;

-- name: head
-- The last settled change: whoever stands there has seen all that can be seen.
select ends.txid::text, ends.seq
from (
    (
        select txid, seq
        from changes
        where txid < pg_snapshot_xmin(pg_current_snapshot())
        order by txid desc, seq desc
        limit 1
    )
    union all
    select pruned_txid, pruned_seq
    from epoch
) as ends
order by ends.txid desc, ends.seq desc
limit 1;

-- name: pruned
select pruned_txid::text as txid, pruned_seq as seq
from epoch;

-- name: prune
-- The oldest settled changes, a slice at a time, and how far they went, in one statement.
with slice as (
    select txid, seq, at
    from changes
    where txid < pg_snapshot_xmin(pg_current_snapshot())
    order by txid, seq
    limit 10000
),

gone as (
    delete from changes as c
    using slice as s
    where
        c.txid = s.txid and c.seq = s.seq
        and s.at < now() - make_interval(days => %(days)s)
    returning c.txid, c.seq
),

last as (
    select txid, seq
    from gone
    order by txid desc, seq desc
    limit 1
)

update epoch
set pruned_txid = last.txid, pruned_seq = last.seq
from last
returning (select count(*) from gone) as removed;

-- name: held
-- Whether a change is written but not yet settled.
select exists (
    select 1 from changes where txid >= pg_snapshot_xmin(pg_current_snapshot())
) as held;

-- name: behind
select
    count(*) as changes,
    coalesce(extract(epoch from now() - min(at)), 0)::float8 as seconds
from changes
where (txid, seq) > (%(txid)s::text::xid8, %(seq)s);

-- name: parents
-- The tree of categories, by the names' folded forms.
select c.key, c.parent, p.name as parent_name
from categories as c
inner join categories as p on p.key = c.parent;

-- name: count
select count(*) as count
from entries
where archived_at is null;

-- name: scan
-- All live entries in id order, a slice at a time: one long scan would hold the feed back.
select
    e.id, e.title, e.problem, e.solution, e.category, e.severity, e.tags, e.version, e.updated_at,
    e.source, e.external_id, e.created_by, e.created_at, e.custom -> 'codes' as codes,
    u.usage, u.success, u.failure
from entries as e
left join entry_usage as u on u.entry_id = e.id
where e.archived_at is null and e.id > %(after)s
order by e.id
limit %(limit)s;

-- name: scan_versions
select id::text, version
from entries
where archived_at is null and id > %(after)s
order by id
limit %(limit)s;

-- name: changed_since
select distinct entry_id::text as id
from changes
where (txid, seq) > (%(txid)s::text::xid8, %(seq)s);

-- name: last_of
-- The newest change of one entry.
select txid::text, seq
from changes
where entry_id = %(entry_id)s
order by changes.txid desc, seq desc
limit 1;
