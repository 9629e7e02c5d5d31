-- name: is_on
select to_regclass('entry_vectors') is not null as found;

-- name: extension
create extension if not exists vector;

-- name: models
create table if not exists semantic_models (
    id bigint generated always as identity primary key,
    name text not null,
    dimensions integer,                      -- null until it has learned
    parameters bytea,
    learned_at timestamptz,
    ready boolean not null default false,
    upto uuid,                               -- the backfill has come so far
    seen text                                -- the feed's head when nothing was stale
);

-- name: vectors
create table if not exists entry_vectors (
    model bigint not null,
    entry_id uuid not null,
    version bigint not null,
    embedding vector not null,
    primary key (model, entry_id)
);

-- name: drop
drop table if exists entry_vectors, semantic_models;

-- name: new_model
insert into semantic_models (name) values (%(name)s)
returning id;

-- name: all_models
select id, name, dimensions, ready, upto, seen
from semantic_models
order by id desc;

-- name: stamp
select learned_at
from semantic_models
where id = %(id)s;

-- name: parameters
select parameters
from semantic_models
where id = %(id)s;

-- name: learned
update semantic_models
set dimensions = %(dimensions)s, parameters = %(parameters)s, learned_at = clock_timestamp()
where id = %(id)s and dimensions is null;

-- name: index
create index if not exists entry_vectors_of_{model} on entry_vectors
using hnsw ((embedding::vector({dimensions})) vector_cosine_ops)
where model = {model};

-- name: drop_index
drop index if exists entry_vectors_of_{model};

-- name: sample
-- About as many live entries as wanted, the same ones every time.
select id, version, title, problem, solution, tags
from entries
where
    archived_at is null
    and (
        %(all)s <= %(most)s
        or abs(hashtextextended(id::text, 0) %% 10000) < 10000 * %(most)s / greatest(%(all)s, 1)
    )
order by id
limit %(most)s;

-- name: next
select id, version, title, problem, solution, tags
from entries
where archived_at is null and (%(after)s::uuid is null or id > %(after)s::uuid)
order by id
limit %(limit)s;

-- name: put
insert into entry_vectors (model, entry_id, version, embedding)
select %(model)s, e.id, e.version, e.vector::vector
from unnest(%(ids)s::uuid [], %(versions)s::bigint [], %(vectors)s::text []) as e (
    id, version, vector
)
order by e.id
on conflict (model, entry_id) do update
    set version = excluded.version, embedding = excluded.embedding
    where entry_vectors.version < excluded.version;

-- name: advance
update semantic_models
set upto = greatest(upto, %(upto)s::uuid)
where id = %(id)s;

-- name: drop_vectors
delete from entry_vectors
where model < %(id)s;

-- name: drop_models
delete from semantic_models
where id < %(id)s;

-- name: ready
update semantic_models
set ready = true
where id = %(id)s;

-- name: stale
-- Live entries without a vector of their present version.
select e.id, e.version, e.title, e.problem, e.solution, e.tags
from entries as e
left join entry_vectors as v on v.model = %(model)s and v.entry_id = e.id
where e.archived_at is null and v.version is distinct from e.version
order by e.id
limit %(limit)s;

-- name: gone
delete from entry_vectors as v
where not exists (
    select 1 from entries as e where e.id = v.entry_id and e.archived_at is null
);

-- name: seen
update semantic_models
set seen = %(seen)s
where id = %(id)s;

-- name: count
select count(*) as count
from entry_vectors
where model = %(model)s;

-- name: filling
-- The model that the newest task which has not ended makes vectors for.
select t.id as task, (m.request ->> 'model')::bigint as model
from tasks as t
inner join task_members as m on m.task_id = t.id
where t.type = 'semantic' and t.status in ('enqueued', 'processing') and m.status <> 'succeeded'
order by t.id desc
limit 1;

-- name: look
-- For this transaction.
select set_config('hnsw.ef_search', %(sight)s, true);

-- name: nearest
select entry_id
from entry_vectors
where model = {model}
order by embedding::vector({dimensions}) <=> %(vector)s::vector({dimensions})
limit %(most)s;
