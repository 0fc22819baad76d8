//! Empty: what this crate holds are its tests, and the program that they run.
#![forbid(unsafe_code)]
