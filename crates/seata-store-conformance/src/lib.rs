//! The suite that every storage adapter passes.
