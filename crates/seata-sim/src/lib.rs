//! Seeded simulation of coordinators, stores, participants, clocks and faults.
