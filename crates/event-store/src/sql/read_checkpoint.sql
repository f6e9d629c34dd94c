-- Tasks::checkpoint. $1 process.
select position from process_checkpoints where process = $1
