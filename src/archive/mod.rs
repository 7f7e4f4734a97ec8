//! What is kept, how long, and the proof of it.
