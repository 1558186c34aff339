//! Rules that remember acts.

mod node;

mod baselines;
mod bursts;
mod sequences;
