-- import::Importer::finish. A commit that waits for the disk, behind those that did not.
begin; set local synchronous_commit = on; update log_head set position = position; commit
