-- Tasks::reached. $1 process.
select position, fingerprint, epoch from process_checkpoints where process = $1
