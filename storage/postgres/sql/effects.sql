-- name: claim
insert into effects (key, operation, digest)
values (%(key)s, %(operation)s, %(digest)s)
on conflict (key) do nothing
returning key;

-- name: first
select operation, digest, reply::text as reply
from effects
where key = %(key)s;

-- name: answer
update effects
set reply = %(reply)s::jsonb
where key = %(key)s;
