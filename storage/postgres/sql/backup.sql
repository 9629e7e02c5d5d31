-- name: now
select now() as now, current_setting('server_version') as server;

-- name: customs
-- How rows are read, and how long a lock is waited for.
select
    set_config('client_encoding', 'UTF8', false),
    set_config('statement_timeout', '0', false),
    set_config('lock_timeout', %(lock_timeout)s, false);

-- name: tables
-- Ours among the tables of this database, with the columns that are not computed.
select
    c.relname as name,
    array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated = '') as columns
from pg_class as c
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where
    c.relnamespace = current_schema()::regnamespace
    and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname = any(%(names)s)
group by c.relname
order by c.relname;

-- name: partitions
select c.relname as name, p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bound
from pg_class as c
inner join pg_inherits as i on i.inhrelid = c.oid
inner join pg_class as p on p.oid = i.inhparent
where c.relispartition and c.relkind = 'r' and p.relname = any(%(names)s)
order by c.relname;

-- name: sequences
-- Those that stand alone; a column's own goes on where its rows end.
select sequencename as name, last_value as last
from pg_sequences
where schemaname = current_schema() and sequencename = any(%(names)s) and last_value is not null
order by sequencename;

-- name: things
-- What else the migrations make.
select 'view' as kind, oid::regclass::text as name
from pg_class
where relnamespace = current_schema()::regnamespace and relkind = 'v' and relname = any(%(names)s)
union all
select 'sequence', oid::regclass::text
from pg_class
where relnamespace = current_schema()::regnamespace and relkind = 'S' and relname = any(%(names)s)
union all
select 'function', oid::regprocedure::text
from pg_proc
where pronamespace = current_schema()::regnamespace and proname = any(%(names)s);

-- name: set_sequence
select setval(%(name)s, %(last)s);

-- name: parents
select child.relname as child, parent.relname as parent
from pg_constraint as k
inner join pg_class as child on child.oid = k.conrelid
inner join pg_class as parent on parent.oid = k.confrelid
where
    k.contype = 'f' and k.conrelid <> k.confrelid
    and child.relnamespace = current_schema()::regnamespace;

-- name: counters
-- Columns that PostgreSQL numbers.
select c.relname as table_name, a.attname as column_name
from pg_attribute as a
inner join pg_class as c on c.oid = a.attrelid
where
    a.attidentity <> '' and not a.attisdropped
    and c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p');

-- name: others
-- Everyone else who is connected here: they know the epoch that was.
select pg_terminate_backend(pid)
from pg_stat_activity
where
    datname = current_database() and usename = current_user and pid <> pg_backend_pid()
    and backend_type = 'client backend';

-- name: transactions
-- How many transactions of imports are told apart in the feed.
select count(distinct txid) as count
from import_chunks;

-- name: next_transaction
select pg_current_xact_id()::text as txid;

-- name: spend_table
create temporary table spent (spent boolean) on commit drop;

-- name: spend
-- Uses up transaction numbers, each in a subtransaction that writes.
do $$
begin
    for turn in 1..10000 loop
        begin
            insert into spent values (true);
        exception when division_by_zero then null;
        end;
    end loop;
end $$;

-- name: renumber_changes
-- Numbers of another cluster may lie in this one's future, where no reader would ever see them.
-- Those of imports stay apart, in their order: an import is taken back by them.
with numbers as (
    select txid, dense_rank() over (order by txid)::text::xid8 as number
    from import_chunks
    where txid is not null
    group by txid
)

update changes as c
set txid = coalesce((select n.number from numbers as n where n.txid = c.txid), '0'::xid8);

-- name: renumber_chunks
with numbers as (
    select txid, dense_rank() over (order by txid)::text::xid8 as number
    from import_chunks
    where txid is not null
    group by txid
)

update import_chunks as k
set txid = n.number
from numbers as n
where n.txid = k.txid;

-- name: new_tuning
-- Another number than any that an index writer has published.
update search_tuning
set version = version + 1 + floor(random() * 2147483646)::bigint;

-- name: new_epoch
-- At random, and not the next one: this cluster may have held another restore of the same backup.
update epoch
set
    restores = 1 + floor(random() * 2147483646)::integer,
    pruned_txid = '0',
    pruned_seq = 0;
