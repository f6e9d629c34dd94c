-- Log::epochs.
select epoch, after_position, began_at, reason from log_epochs order by began_at
