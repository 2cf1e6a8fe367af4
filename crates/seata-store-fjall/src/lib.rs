//! The embedded default store on fjall: one folder, no setup.
