-- How many rows hold a word is judged by a sample of texts. One of a hundred is too few to tell one word in a hundred rows from one
-- in twenty, so that some searches walked where they should have sorted.
alter table licenses alter column search set statistics 400;
alter table orders alter column search set statistics 400;
alter table users alter column search set statistics 400;
