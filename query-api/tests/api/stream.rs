//! The stream of changes: who is told what, coming back, and how a stream ends.

mod bounds;
mod ends;
mod events;
mod resume;
mod served;
mod visible;
