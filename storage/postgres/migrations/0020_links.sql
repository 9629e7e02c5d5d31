-- What rows of a source say of its other entries, by their names there.

-- As said, whether the entry that is meant is here yet or not; by hand stated are `relations`.
create table links (
    source text not null,
    from_name text not null,
    to_name text not null,
    kind text not null,
    strength real not null,
    import_id uuid not null,                 -- that said so last, and where
    file text not null,
    line bigint not null,
    primary key (source, from_name, to_name, kind)
);
create index links_import on links (import_id);

-- Of a replace: what the row says, until its switch.
alter table import_staged add column related jsonb;

-- Both in one: a link counts while both of its ends are here. What is stated by hand goes before.
create view entry_relations as
select r.from_id, r.to_id, r.kind, r.strength, far.source, far.external_id
from relations as r
inner join entries as far on far.id = r.to_id
union all
select near.id, far.id, l.kind, l.strength, far.source, far.external_id
from entries as near
inner join links as l on l.source = near.source and l.from_name = near.external_id
inner join entries as far on far.source = l.source and far.external_id = l.to_name
where
    not exists (
        select 1
        from relations as r
        where r.from_id = near.id and r.to_id = far.id and r.kind = l.kind
    );
