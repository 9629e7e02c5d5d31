-- name: forget
delete from import_similar
where import_id = %(id)s;

-- name: next
-- The next of the selection with their texts; nothing of one that is gone or archived.
select s.place, s.entry_id, e.title, e.problem, e.solution
from entry_selection as s
left join entries as e on e.id = s.entry_id and e.archived_at is null
where s.task_id = %(task_id)s
order by s.place
limit %(limit)s;

-- name: texts
select id, title, problem, solution
from entries
where id = any(%(ids)s) and archived_at is null;

-- name: done
delete from entry_selection
where task_id = %(task_id)s and place = any(%(places)s);

-- name: store
-- Unless one of the two has gone meanwhile.
insert into import_similar (import_id, entry_id, other_id, similarity)
select %(import_id)s, f.entry_id, f.other_id, f.similarity
from jsonb_to_recordset(%(found)s::jsonb) as f (entry_id uuid, other_id uuid, similarity real)
inner join entries as e on e.id = f.entry_id
inner join entries as o on o.id = f.other_id
on conflict (import_id, entry_id) do update
    set other_id = excluded.other_id, similarity = excluded.similarity;

-- name: page
select
    s.entry_id, e.title, s.other_id, o.title as other_title, o.source as other_source,
    s.similarity::float8 as similarity
from import_similar as s
inner join entries as e on e.id = s.entry_id
inner join entries as o on o.id = s.other_id
where s.import_id = %(id)s and s.similarity >= %(minimum)s::real
order by s.similarity desc, s.entry_id
limit %(limit)s offset %(offset)s;
