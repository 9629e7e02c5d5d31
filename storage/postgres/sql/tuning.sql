-- name: set_synonyms
insert into synonyms (category, word, same_as, updated_by)
values (%(category)s, %(word)s, %(same_as)s, %(by)s)
on conflict (category, word) do update
    set same_as = excluded.same_as, updated_at = now(), updated_by = excluded.updated_by;

-- name: delete_synonyms
delete from synonyms
where category = %(category)s and word = %(word)s;

-- name: synonyms
select category, word, same_as, updated_at, updated_by
from synonyms
order by category, word
limit %(limit)s;

-- name: pin
insert into pins (query, entries, updated_by)
values (%(query)s, %(entries)s, %(by)s)
on conflict (query) do update
    set entries = excluded.entries, updated_at = now(), updated_by = excluded.updated_by;

-- name: unpin
delete from pins
where query = %(query)s;

-- name: pins
select query, entries, updated_at, updated_by
from pins
order by query
limit %(limit)s;

-- name: changed
insert into search_tuning (version) values (1)
on conflict (one) do update
    set version = search_tuning.version + 1
returning version;

-- name: version
select version
from search_tuning;
