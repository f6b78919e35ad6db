//! A Delta table as a keyed store: locate, apply, commit.
