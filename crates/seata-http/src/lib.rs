//! Translates HTTP requests to engine calls and back.
