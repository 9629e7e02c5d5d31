-- name: save
insert into mappings (name, shape, updated_by)
values (%(name)s, %(shape)s::jsonb, %(by)s)
on conflict (name) do update
    set shape = excluded.shape, updated_at = now(), updated_by = excluded.updated_by
returning name, shape, updated_at, updated_by;

-- name: get
select name, shape, updated_at, updated_by
from mappings
where name = %(name)s;

-- name: list
select name, shape, updated_at, updated_by
from mappings
order by name
limit %(limit)s;

-- name: delete
delete from mappings
where name = %(name)s
returning name;
