-- Long periods and narrow ones, read from an index alone.

-- Hours of one category and metric lie together: a day of another zone is made of them.
create index event_hours_of on event_hours (category, metric, hour) include (value);

-- What some entries were used, day by day. What is shown stands in no index: a row that is only
-- shown once more stays in its place.
create index entry_days_of on entry_days (entry_id, day) include (used) where used > 0;

create index entry_days_sure on entry_days (day, entry_id)
include (worked, failed, ratings, rating_sum) where worked + failed + ratings > 0;
drop index entry_days_rated;

create index entry_usage_most on entry_usage (usage desc, entry_id) where usage > 0;
create index entries_updated on entries (updated_at, id) where archived_at is null;
