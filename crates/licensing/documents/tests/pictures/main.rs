//! The documents as a reader gets them: their pages as pictures and their text, by poppler's `pdftoppm` and `pdftotext`.

#[cfg(test)]
mod licenses;
#[cfg(test)]
mod poppler;
#[cfg(test)]
mod receipts;
