-- What entries of a category, and those with a tag, were used for: as they were when it was counted.

alter table entry_days add column category text;
update entry_days as d
set category = e.category
from entries as e
where e.id = d.entry_id;
create index entry_days_category on entry_days (category, day, used desc)
include (entry_id) where used > 0;

create table tag_days (
    tag text not null,
    day date not null,                       -- in UTC
    shown bigint not null,
    viewed bigint not null,
    copied bigint not null,
    taken bigint not null,
    exported bigint not null,
    worked bigint not null,
    failed bigint not null,
    ratings bigint not null,
    rating_sum bigint not null,
    used bigint generated always as (viewed + copied + taken + exported) stored,
    primary key (tag, day)
) with (fillfactor = 70);
create index tag_days_day on tag_days (day);

insert into tag_days (
    tag, day, shown, viewed, copied, taken, exported, worked, failed, ratings, rating_sum
)
select
    t.tag, d.day, sum(d.shown), sum(d.viewed), sum(d.copied), sum(d.taken), sum(d.exported),
    sum(d.worked), sum(d.failed), sum(d.ratings), sum(d.rating_sum)
from entry_days as d
inner join entries as e on e.id = d.entry_id
cross join unnest(e.tags) as t (tag)
group by t.tag, d.day;

-- The last of what is rare among searches and views.
create index events_rare on events (id)
where kind in ('rated', 'copied', 'suggestion_taken', 'exported', 'logged_in', 'alert_raised');
