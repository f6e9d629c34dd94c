//! Extremes of every field of every command, through the real system. Each is refused with a problem or accepted, and
//! accepted values are read back equal, in every list, in every order, by every filter. One row that can't be serialized
//! would fail its whole list.

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
