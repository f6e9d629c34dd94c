//! Extremes of every field of every command, through the real system: each is refused in words or taken, and what was
//! taken is read back equal, in every list, in every order, by every filter. One row that can't be said would fail the
//! whole list that it is in.

#[cfg(test)]
mod filters;
#[cfg(test)]
mod read_back;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod values;
#[cfg(test)]
mod writing;
