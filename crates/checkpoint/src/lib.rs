//! Admit, then settle: one way to the world for every action.
